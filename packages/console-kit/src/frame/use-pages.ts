import { useMemo } from 'react'
import { useConsole } from '../console-context.tsx'
import type { PageDefinition } from '../definitions.ts'
import { useMay } from '../live/use-may.ts'

/** The pages to offer: all but those that show the caller nothing. The same while no answer changes. */
export function usePages(): readonly PageDefinition[] {
  const { features } = useConsole()
  const pages = useMemo(() => features.flatMap((feature) => feature.pages), [features])
  const answers = useMay(pages.map(({ may }) => may).filter((may) => may !== undefined)).join()
  return useMemo(() => {
    const left = answers.split(',')
    return pages.filter(({ may }) => may === undefined || left.shift() === 'true')
  }, [pages, answers])
}
