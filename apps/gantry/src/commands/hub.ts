import { textOption, UsageError, type Command } from '@gantry/cli-kit'
import { yamlOf } from '../export/write-manifests.ts'
import { hubManifest } from '../hub/hub-manifest.ts'

const mostReplicas = 20

/** `gantry hub manifest`: what a Kubernetes cluster needs to be the platform's hub. It asks nobody. */
export function hubCommands({ version }: { readonly version: string }): readonly Command[] {
  return [
    {
      name: 'hub manifest',
      summary: 'Print what a Kubernetes cluster needs to be the hub: namespace, ServiceAccount and the least permissions',
      options: {
        replicas: { type: 'string', value: 'N', description: 'Also the platform itself, with so many gateways' },
        image: { type: 'string', value: 'IMAGE', description: `Of these gateways (gantry:${version})` },
        'server-names': { type: 'string', value: 'NAMES', description: 'Names, with commas, by which clients reach them' },
        storage: { type: 'string', value: 'SIZE', description: 'For audit log and recordings of each (10Gi)' },
      },
      examples: ['gantry hub manifest | kubectl apply -f -', 'gantry hub manifest --replicas 2 --server-names gantry.example.com | kubectl apply -f -'],
      async run({ options }) {
        const replicas = textOption(options, 'replicas')
        const misplaced = replicas === undefined ? ['image', 'server-names', 'storage'].find((name) => options[name] !== undefined) : undefined
        if (misplaced !== undefined) throw new UsageError(`--${misplaced} is about the gateways: it needs --replicas N`)
        if (replicas !== undefined && (!/^\d+$/.test(replicas) || Number(replicas) < 1 || Number(replicas) > mostReplicas))
          throw new UsageError(`--replicas "${replicas}" is no number from 1 to ${mostReplicas}`)
        const deployment =
          replicas === undefined
            ? undefined
            : {
                image: textOption(options, 'image') ?? `gantry:${version}`,
                replicas: Number(replicas),
                serverNames: (textOption(options, 'server-names') ?? '').split(',').filter((name) => name !== ''),
                storage: textOption(options, 'storage') ?? '10Gi',
              }
        const { platformKinds } = await import('../platform-kinds.ts')
        return {
          kind: 'text',
          text: hubManifest({ kinds: platformKinds, deployment })
            .map((object) => yamlOf(object))
            .join('---\n')
            .trimEnd(),
        }
      },
    },
  ]
}
