/** Gantry's mark: a gantry crane over its container. */
export function CraneMark({ className }: { readonly className?: string }) {
  return (
    <svg viewBox="0 0 24 24" aria-hidden className={className} fill="none">
      <path d="M1.5 4.75h21" stroke="currentColor" strokeWidth="2.5" strokeLinecap="round" />
      <path d="M5.25 5.5 3.5 21M18.75 5.5 20.5 21" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      <path d="M12 5.5v5.5M9 13l3-2 3 2" stroke="currentColor" strokeWidth="1.25" strokeLinecap="round" strokeLinejoin="round" />
      <rect x="7.25" y="13" width="9.5" height="5.75" rx="1" className="fill-brand" />
      <path d="M10.4 14.6v2.6M13.6 14.6v2.6" stroke="#fff" strokeOpacity=".75" strokeWidth="1" strokeLinecap="round" />
    </svg>
  )
}
