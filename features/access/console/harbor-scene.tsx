/** A quiet harbour: gantry cranes over stacked containers. Decoration only. */
export function HarborScene({ className }: { readonly className?: string }) {
  return (
    <svg viewBox="0 0 800 460" aria-hidden className={className} fill="none" preserveAspectRatio="xMidYMax slice">
      <path d="M0 420h800v40H0z" className="fill-scene-ground" />
      <g className="stroke-scene-line" strokeWidth="3" strokeLinecap="round">
        <path d="M60 420 84 190M230 420 206 190M40 190h300M84 300h122M84 190l122 110M206 190 84 300" />
        <path d="M280 190v46" strokeWidth="1.5" />
        <path d="M470 420 500 110M700 420 670 110M430 110h340M500 265h170M500 110l170 155M670 110 500 265M585 110V60l-150 50M585 60l185 50" />
        <path d="M440 110v96" strokeWidth="1.5" />
      </g>
      <g>
        <rect x="250" y="236" width="60" height="28" rx="2" className="fill-brand" />
        <rect x="410" y="206" width="60" height="28" rx="2" className="fill-brand" />
        <path d="M265 240v20M280 240v20M295 240v20M425 210v20M440 210v20M455 210v20" stroke="#fff" strokeOpacity=".45" strokeWidth="2" />
      </g>
      <g className="fill-scene-box">
        <path d="M96 392h64v28H96zM96 362h64v28H96zM520 392h64v28h-64zM586 392h64v28h-64zM520 362h64v28h-64z" />
        <path d="M252 392h64v28h-64zM318 392h64v28h-64zM285 362h64v28h-64z" />
      </g>
      <path d="M586 362h64v28h-64zM384 392h46v28h-46z" className="fill-scene-box-alt" />
      <path d="M0 420h800" className="stroke-scene-line" strokeWidth="3" />
    </svg>
  )
}
