import { StatusError } from '@gantry/apimachinery'
import { textOption, type Command, type OptionValues } from '@gantry/cli-kit'
import { isWithoutProxy } from '@gantry/client'
import { createLogger, systemClock, systemIds } from '@gantry/runtime'
import { memberApi } from './member-api.ts'

export interface AgentCommandDeps {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** Lines of the log: standard error. */
  readonly write: (line: string) => void
}

const options = {
  kubeconfig: { type: 'string', value: 'FILE', description: "kubeconfig of the cluster; without it the pod's own ServiceAccount" },
  context: { type: 'string', value: 'NAME', description: 'Context of the kubeconfig, when it is not the current one' },
} as const

/** `gantry agent` and `gantry agent doctor`: run in, or beside, a cluster that a platform cannot reach. */
export function agentCommands(deps: AgentCommandDeps): readonly Command[] {
  const clock = systemClock
  const about = (given: OptionValues) => ({
    version: deps.version,
    member: memberApi({ clock, env: deps.env }, { kubeconfig: textOption(given, 'kubeconfig'), context: textOption(given, 'context') }),
    // As every other program takes them; what the manifest says goes before.
    proxyFor: (hub: URL) =>
      isWithoutProxy(hub, deps.env['NO_PROXY'] ?? deps.env['no_proxy']) ? undefined : (deps.env['HTTPS_PROXY'] ?? deps.env['https_proxy']),
  })
  return [
    {
      name: 'agent',
      summary: 'Connect this cluster to a platform that cannot reach it',
      options,
      examples: ['gantry agent --kubeconfig /etc/kubernetes/admin.conf'],
      async run({ options: given, context }) {
        const log = createLogger({ clock, write: deps.write }, { level: 'info', fields: { component: 'agent' } })
        const { runAgent } = await import('./run-agent.ts')
        await runAgent({ clock, ids: systemIds, log }, about(given), { signal: context.signal })
        return undefined
      },
    },
    {
      name: 'agent doctor',
      summary: 'Say what keeps the agent of this cluster from its platform',
      options,
      async run({ options: given, context }) {
        const { examine } = await import('./doctor.ts')
        const checks = await examine({ clock, version: deps.version }, { ...about(given), signal: context.signal })
        const marks = { ok: 'ok  ', failed: 'FAIL', unknown: '?   ' }
        const text = checks.map(({ name, outcome, message }) => `${marks[outcome]}  ${name.padEnd(15)}${message}`).join('\n')
        const failed = checks.find(({ outcome }) => outcome === 'failed')
        if (failed === undefined) return { kind: 'text', text }
        context.note(text)
        throw new StatusError('ServiceUnavailable', `${failed.name}: ${failed.message}`)
      },
    },
  ]
}
