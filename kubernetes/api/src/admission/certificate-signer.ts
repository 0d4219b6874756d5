import type { Authorizer } from '@gantry/apiserver'
import type { UserInfo } from '@gantry/runtime'

/** Whether a user may `approve` or `sign` for a signer: that one by name, or all of its domain. */
export async function maySign(
  authorize: Authorizer,
  user: UserInfo,
  ask: { readonly verb: 'approve' | 'sign'; readonly signerName: string },
): Promise<boolean> {
  for (const name of [ask.signerName, `${ask.signerName.split('/', 1)[0] ?? ''}/*`]) {
    const { allowed } = await authorize({
      user,
      verb: ask.verb,
      isResource: true,
      path: '',
      group: 'certificates.k8s.io',
      version: '*',
      resource: 'signers',
      subresource: '',
      namespace: undefined,
      name,
    })
    if (allowed) return true
  }
  return false
}
