import { isReason } from '@gantry/apimachinery'
import type { PlatformConnection } from '@gantry/cli-kit'
import type { ResourceRef } from '@gantry/client'

/** Ends one's own session or key, which takes no permission; what is none of one's own is an object like others. */
export async function endOwnOr(
  platform: PlatformConnection,
  { own, ref, name, signal }: { readonly own: 'sessions' | 'apikeys'; readonly ref: ResourceRef; readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await platform.call('DELETE', `/platform/v1/me/${own}/${encodeURIComponent(name)}`, { signal })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
    await platform.hub.delete(ref, { name }, { signal })
  }
}
