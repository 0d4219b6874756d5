/** Where to go after signing in: only ever a path of this console, never another site (`//evil`, `/\evil`, or either behind characters that browsers drop). */
export function safeReturn(next: string | null | undefined): string {
  if (next === null || next === undefined || next.length > longest || !/^\/(?![/\\])\P{Cc}*$/u.test(next)) return '/'
  return next.startsWith('/login') ? '/' : next
}

const longest = 2_048
