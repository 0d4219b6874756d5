import { lazy, Suspense, type ComponentType } from 'react'

/** A component that is loaded when it is first drawn, with nothing in its place meanwhile: for dialogs and rare pages. */
export function lazily<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const Loaded = lazy(async () => ({ default: await load() })) as ComponentType<Props>
  return function Lazily(props: Props) {
    return (
      <Suspense>
        <Loaded {...props} />
      </Suspense>
    )
  }
}
