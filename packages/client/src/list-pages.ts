import type { KubeClient, KubeList, KubeObject, ListOptions, ResourceRef } from './client.ts'

/** A list in pages of at most `limit` objects, each asked for when the one before has been used: no more than one is held. Throws as `list` does, also in the middle of it. */
export async function* listPages<T extends KubeObject>(
  client: Pick<KubeClient, 'list'>,
  resource: ResourceRef,
  options: Omit<ListOptions, 'continue'> & { readonly limit: number },
): AsyncGenerator<KubeList<T>, void> {
  let token: string | undefined
  do {
    const page = await client.list<T>(resource, { ...options, continue: token })
    yield page
    token = page.metadata.continue
  } while (token !== undefined && token !== '')
}
