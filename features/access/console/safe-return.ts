/** Where to go after signing in: only ever a path of this console, never another site (`//evil`, `/\evil`). */
export function safeReturn(next: string | null): string {
  if (next === null || !/^\/(?![/\\])/.test(next)) return '/'
  return next.startsWith('/login') ? '/' : next
}
