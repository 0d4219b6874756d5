/**
 * Replaces `$(NAME)` by what `lookup` knows; what it does not know stays as written, and `$$` stands for one `$`.
 * Upstream: third_party/forked/golang/expansion.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replaceAll(/\$(?:\$|\(([^()]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return lookup(name) ?? whole
  })
}
