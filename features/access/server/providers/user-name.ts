import { createHash } from 'node:crypto'
import { userNameProblem } from '../../api/index.ts'

/** The name of the User of an account: the provider's, a dot and the login. A login that makes no name is replaced by a digest of the subject, which is always the same. */
export function outsideUserName(provider: string, account: { readonly login: string; readonly subject: string }): string {
  const login = account.login
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s@_+]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  const name = `${provider}.${login}`
  if (login !== '' && userNameProblem(name) === undefined) return name
  return `${provider}.${createHash('sha256').update(account.subject).digest('hex').slice(0, 16)}`
}
