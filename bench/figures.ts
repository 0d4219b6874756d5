/** One quantity measured on both servers, several times each. */
export interface Figure {
  readonly name: string
  readonly unit: string
  /** Whether more is better (a rate) or less (a time, memory). */
  readonly better: 'more' | 'less'
  readonly kubernetes: readonly Sample[]
  readonly gantry: readonly Sample[]
  /** The ratio to reach, in our favor. */
  readonly target?: number | undefined
}

export interface Sample {
  readonly value: number
  readonly p50Ms?: number | undefined
  readonly p99Ms?: number | undefined
  /** Processor seconds of the processes that serve, per 1,000 operations. */
  readonly cpuPerThousand?: number | undefined
}

/** The sample in the middle; of an even number the worse one of the two, so that nothing is flattered. */
export function middle(samples: readonly Sample[], better: Figure['better']): Sample {
  const sorted = samples.toSorted((a, b) => (better === 'more' ? a.value - b.value : b.value - a.value))
  const sample = sorted[Math.floor((sorted.length - 1) / 2)]
  if (sample === undefined) throw new Error('a figure without a sample')
  return sample
}

/** How many times better Gantry is; below 1 it is worse. */
export function ratio(figure: Figure): number {
  const [kubernetes, gantry] = [middle(figure.kubernetes, figure.better).value, middle(figure.gantry, figure.better).value]
  return figure.better === 'more' ? gantry / kubernetes : kubernetes / gantry
}

const columns = [
  'Quantity',
  'Kubernetes',
  'Gantry',
  'Ratio',
  'Target',
  'p50 / p99 Kubernetes',
  'p50 / p99 Gantry',
  'CPU s per 1,000: Kubernetes',
  'Gantry',
] as const

/** The figures as a Markdown table that also reads well on a terminal. */
export function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const [kubernetes, gantry] = [middle(figure.kubernetes, figure.better), middle(figure.gantry, figure.better)]
    const times = ratio(figure)
    const target = figure.target === undefined ? '' : `≥ ${figure.target}× ${times >= figure.target ? '✔' : '✖'}`
    return [
      figure.name,
      `${rounded(kubernetes.value)} ${figure.unit}`,
      `${rounded(gantry.value)} ${figure.unit}`,
      `${times.toFixed(times < 10 ? 2 : 1)}×`,
      target,
      latency(kubernetes),
      latency(gantry),
      kubernetes.cpuPerThousand?.toFixed(2) ?? '',
      gantry.cpuPerThousand?.toFixed(2) ?? '',
    ]
  })
  const widths = columns.map((column, at) => Math.max(column.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  return [line(columns), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n')
}

function latency({ p50Ms, p99Ms }: Sample): string {
  return p50Ms === undefined || p99Ms === undefined ? '' : `${rounded(p50Ms)} / ${rounded(p99Ms)} ms`
}

/** Three figures are all that such a measurement carries. */
function rounded(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toFixed(value >= 10 ? 1 : 2)
}
