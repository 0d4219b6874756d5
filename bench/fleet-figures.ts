export interface FleetTask {
  readonly clusters: number
  readonly podsPerCluster: number
  readonly samples: number
}

export interface FleetFigures {
  readonly emptyMb: number
  readonly fullMb: number
  readonly tablesMb: number
  readonly fillSeconds: number
  readonly fillCpuSeconds: number
  readonly firstPageMs: readonly number[]
  readonly busyFirstPageMs: readonly number[]
  readonly searchMs: Readonly<Record<string, readonly number[]>>
  readonly visibleMs: readonly number[]
  readonly idleCpuPercent: number
  /** The longest the event loop was late while pages and searches ran. */
  readonly longestDelayMs: number
}

interface Line {
  readonly quantity: string
  readonly value: string
  readonly target?: string
}

/** The figures as a Markdown table, with the targets that this is held to. */
export function formatFleet({ clusters, podsPerCluster }: FleetTask, figures: FleetFigures): string {
  const times = (quantity: string, ms: readonly number[], limitMs?: number): Line => ({
    quantity,
    value: `${shown(quantile(ms, 0.5))} / ${shown(quantile(ms, 0.99))} ms`,
    ...(limitMs === undefined ? {} : { target: `p99 ≤ ${limitMs} ms ${quantile(ms, 0.99) <= limitMs ? '✔' : '✖'}` }),
  })
  const lines: readonly Line[] = [
    {
      quantity: 'Memory of the process (before: without a row)',
      value: `${shown(figures.fullMb)} MB (${shown(figures.emptyMb)} MB)`,
      target: `≤ 1,024 MB ${figures.fullMb <= 1_024 ? '✔' : '✖'}`,
    },
    { quantity: 'of that the tables', value: `${shown(figures.tablesMb)} MB` },
    {
      quantity: 'Until all clusters are read (processor time, the simulation with it)',
      value: `${shown(figures.fillSeconds)} s (${shown(figures.fillCpuSeconds)} s)`,
    },
    times('First page of 500 pods, p50 / p99', figures.firstPageMs, 50),
    times('The same at 500 changes a second', figures.busyFirstPageMs, 50),
    ...Object.entries(figures.searchMs).map(([query, ms]) => times(`Search for \`${query}\``, ms, 300)),
    times('From a change in a cluster to its event at a watcher', figures.visibleMs, 1_000),
    { quantity: 'Processor while nothing changes', value: `${shown(figures.idleCpuPercent)} %` },
    { quantity: 'Event loop late at most, while pages and searches run', value: `${shown(figures.longestDelayMs)} ms` },
  ]
  return [
    `The fleet: ${clusters} simulated clusters with ${(clusters * podsPerCluster).toLocaleString('en-US')} pods, in one process with those clusters.`,
    '',
    '| Quantity | Measured | Target |',
    '| --- | ---: | ---: |',
    ...lines.map(({ quantity, value, target = '' }) => `| ${quantity} | ${value} | ${target} |`),
  ].join('\n')
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

function shown(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(value >= 10 ? 1 : 2)
}
