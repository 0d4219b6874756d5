import { useEffect, type ReactNode } from 'react'

/** The page's title line: names the browser tab too. */
export function PageHeader({ title, note, children }: { readonly title: string; readonly note?: ReactNode; readonly children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Gantry`
  }, [title])
  return (
    <header className="flex min-h-14 flex-wrap items-center gap-x-3 gap-y-2 px-4 py-3 md:px-5">
      <h1 className="text-lg font-semibold tracking-tight">{title}</h1>
      {note}
      <div className="ml-auto flex flex-wrap items-center gap-2">{children}</div>
    </header>
  )
}
