import { Fact, Facts, Section, type DetailProps } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

interface NodeObject {
  readonly spec?: {
    readonly unschedulable?: boolean
    readonly podCIDR?: string
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly nodeInfo?: {
      readonly kubeletVersion?: string
      readonly containerRuntimeVersion?: string
      readonly osImage?: string
      readonly kernelVersion?: string
      readonly architecture?: string
    }
    readonly capacity?: Readonly<Record<string, string>>
    readonly allocatable?: Readonly<Record<string, string>>
  }
}

/** What a node is and how much it has to give. */
export function NodeSection({ object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const { spec, status } = object as NodeObject
  const info = status?.nodeInfo
  const resources = Object.keys(status?.capacity ?? {})
  return (
    <>
      <Section title={t('node.title')}>
        <Facts>
          <Fact name={t('node.scheduling')}>{spec?.unschedulable === true ? t('node.cordoned') : t('node.schedulable')}</Fact>
          <Fact name={t('node.kubelet')}>{info?.kubeletVersion ?? '–'}</Fact>
          <Fact name={t('node.runtime')}>{info?.containerRuntimeVersion ?? '–'}</Fact>
          <Fact name={t('node.system')}>{[info?.osImage, info?.kernelVersion, info?.architecture].filter(Boolean).join(' · ') || '–'}</Fact>
          <Fact name={t('node.addresses')}>{(status?.addresses ?? []).map((address) => address.address).join(', ') || '–'}</Fact>
          <Fact name={t('node.podCidr')}>{spec?.podCIDR ?? '–'}</Fact>
          {(spec?.taints ?? []).length > 0 && (
            <Fact name={t('node.taints')} isWide>
              {(spec?.taints ?? []).map((taint) => (
                <code key={`${taint.key}${taint.effect}`} className="mr-1 rounded bg-neutral-soft px-1.5 py-0.5 font-mono text-xs">
                  {taint.key}
                  {taint.value === undefined ? '' : `=${taint.value}`}:{taint.effect}
                </code>
              ))}
            </Fact>
          )}
        </Facts>
      </Section>
      {resources.length > 0 && (
        <Section title={t('node.capacity')}>
          <div className="overflow-x-auto">
            <table className="w-full text-sm">
              <thead>
                <tr className="border-b border-line text-left text-xs text-muted">
                  <th className="px-4 py-1.5 font-semibold">{t('node.resource')}</th>
                  <th className="px-2 py-1.5 text-right font-semibold">{t('node.total')}</th>
                  <th className="px-4 py-1.5 text-right font-semibold">{t('node.allocatable')}</th>
                </tr>
              </thead>
              <tbody>
                {resources.map((resource) => (
                  <tr key={resource} className="border-b border-line/60 last:border-0">
                    <td className="px-4 py-1.5">{resource}</td>
                    <td className="px-2 py-1.5 text-right tabular-nums">{status?.capacity?.[resource]}</td>
                    <td className="px-4 py-1.5 text-right tabular-nums">{status?.allocatable?.[resource] ?? '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Section>
      )}
    </>
  )
}
