import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'
import type { Entry, Filter } from 'ldapts'
import { mostOutsideGroups, type LdapSettings } from '../../api/index.ts'
import type { Account } from './account.ts'
import { LdapConnection, ldapts } from './ldap-connection.ts'
import type { OutboundDeps } from './outbound.ts'

interface Options {
  /** Of bindDN. */
  readonly secret: string | undefined
  readonly signal: AbortSignal
}

/** What names an account: what somebody has typed, or the subject it is known by. */
export type AccountKey = { readonly name: string } | { readonly subject: string }

interface Found {
  readonly dn: string
  readonly entry: Entry
  /** Without its groups. */
  readonly account: Account
}

/** LDAP_MATCHING_RULE_IN_CHAIN of Active Directory. */
const inChain = '1.2.840.113556.1.4.1941'
const accountDisabled = 0x2
const accountControl = 'userAccountControl'
/** Attributes of Active Directory that are bytes. */
const binaryAttributes: ReadonlySet<string> = new Set(['objectguid', 'objectsid'])

/** Signs in at an LDAP directory: the account is found by a search, and its password tried by a bind. */
export class LdapSignIn {
  readonly #deps: OutboundDeps & { readonly clock: Clock }

  constructor(deps: OutboundDeps & { readonly clock: Clock }) {
    this.#deps = deps
  }

  /** Undefined when there is no such account or the password is another one. Throws when the directory cannot say. */
  async authenticate(settings: LdapSettings, login: { readonly username: string; readonly password: string }, options: Options): Promise<Account | undefined> {
    // A bind without a password is an anonymous one (RFC 4513 §5.1.2): it would let everybody in.
    if (login.password === '' || login.username === '') return undefined
    using connection = await this.#open(settings, options)
    const found = await find(connection, settings, { name: login.username })
    // Of nobody's password something is asked too, so that the time says nothing.
    const isRight = await connection.tryPassword(found?.dn ?? `cn=nobody,${settings.userSearch.base}`, login.password)
    if (!isRight || found === undefined) return undefined
    if (settings.bindDN !== undefined) await connection.bindAs(settings.bindDN, options.secret ?? '')
    return await withGroups(connection, settings, found) // the connection ends with this function
  }

  /**
   * Accounts as the directory shows them now, one after the other over one connection; `each` is given undefined for one that is gone, disabled or not found any more. Throws when
   * the directory cannot say; those that have been told of by then hold.
   */
  async lookUp(
    settings: LdapSettings,
    keys: readonly AccountKey[],
    options: Options & { readonly each: (account: Account | undefined, at: number) => void | Promise<void> },
  ): Promise<void> {
    using connection = await this.#open(settings, options)
    for (const [at, key] of keys.entries()) {
      const found = await find(connection, settings, key)
      await options.each(found && (await withGroups(connection, settings, found)), at)
    }
  }

  /** Connects and binds; for a test of the settings. `progress` is told what has been done. */
  async test(settings: LdapSettings, options: Options & { readonly progress: (step: string) => void }): Promise<void> {
    using connection = await LdapConnection.open(this.#deps, settings, options)
    options.progress('connect')
    if (settings.bindDN !== undefined) await connection.bindAs(settings.bindDN, options.secret ?? '')
    options.progress('bind')
    const { PresenceFilter } = await ldapts()
    const { base, filter } = settings.userSearch
    const entries = await connection.search({
      base,
      filter: await filterOf([filter], new PresenceFilter({ attribute: idAttribute(settings) })),
      attributes: ['1.1'],
      sizeLimit: 1,
    })
    if (entries.length === 0)
      throw new StatusError(
        'Invalid',
        `no entry below ${JSON.stringify(base)} has the attribute ${idAttribute(settings)} and matches spec.ldap.userSearch.filter; check these, and what bindDN may read`,
      )
    options.progress('search')
  }

  async #open(settings: LdapSettings, options: Options): Promise<LdapConnection> {
    const connection = await LdapConnection.open(this.#deps, settings, options)
    try {
      if (settings.bindDN !== undefined) await connection.bindAs(settings.bindDN, options.secret ?? '')
      return connection
    } catch (error) {
      connection[Symbol.dispose]()
      throw error
    }
  }
}

function idAttribute({ userSearch }: LdapSettings): string {
  return userSearch.idAttribute ?? 'entryUUID'
}

async function find(connection: LdapConnection, settings: LdapSettings, key: AccountKey): Promise<Found | undefined> {
  const { EqualityFilter, OrFilter } = await ldapts()
  const { userSearch, groupSearch } = settings
  const id = idAttribute(settings)
  const names = userSearch.nameAttributes ?? ['uid']
  const login = userSearch.loginAttribute ?? names[0] ?? 'uid'
  const displayName = userSearch.displayNameAttribute ?? 'cn'
  const email = userSearch.emailAttribute ?? 'mail'
  // Values of a filter's own type, never text: what somebody types cannot become a part of the filter.
  const wanted: Filter =
    'subject' in key
      ? new EqualityFilter({ attribute: id, value: isBinary(id) ? Buffer.from(key.subject, 'hex') : key.subject })
      : new OrFilter({ filters: names.map((attribute) => new EqualityFilter({ attribute, value: key.name })) })
  const more = [groupSearch?.memberOfAttribute, groupSearch?.memberValueAttribute].filter((name) => name !== undefined)
  const entries = await connection.search({
    base: userSearch.base,
    filter: await filterOf([userSearch.filter], wanted),
    attributes: [...new Set([id, login, displayName, email, accountControl, ...more])],
    binary: isBinary(id) ? [id, 'objectGUID', 'objectSid'] : [],
    sizeLimit: 2,
  })
  const [entry] = entries
  if (entry === undefined) return undefined
  if (entries.length > 1)
    throw new StatusError('Invalid', 'several accounts match what was typed; make spec.ldap.userSearch narrower, so that a name belongs to one account')
  const subject = idOf(entry, id)
  if (subject === undefined)
    throw new StatusError(
      'Invalid',
      `the account ${JSON.stringify(entry.dn)} does not show ${id}; name in spec.ldap.userSearch.idAttribute what identifies an account for ever`,
    )
  if ((Number(textsOf(entry, accountControl)[0] ?? 0) & accountDisabled) !== 0) return undefined
  const account: Account = {
    subject,
    login: textsOf(entry, login)[0] ?? subject,
    displayName: textsOf(entry, displayName)[0],
    email: textsOf(entry, email)[0],
    emailVerified: true, // the directory is the organization's own
    groups: [],
  }
  return { dn: entry.dn, entry, account }
}

async function withGroups(connection: LdapConnection, settings: LdapSettings, { dn, entry, account }: Found): Promise<Account> {
  const { groupSearch } = settings
  if (groupSearch === undefined) return account
  const { memberOfAttribute, memberAttribute = 'member', memberValueAttribute, nameAttribute = 'cn', base } = groupSearch
  if (memberOfAttribute !== undefined) {
    const names = textsOf(entry, memberOfAttribute).filter((group) => isBelow(group, base))
    return { ...account, groups: [...new Set(names.flatMap((group) => firstName(group) ?? []))] }
  }
  const members = memberValueAttribute === undefined ? [dn] : textsOf(entry, memberValueAttribute)
  const groups: string[] = []
  for (const member of members) {
    const found = await connection.search({
      base,
      filter: await filterOf([groupSearch.filter], await memberFilter(memberAttribute, member, groupSearch.nested === true)),
      attributes: [nameAttribute],
      sizeLimit: mostOutsideGroups + 1,
    })
    groups.push(...found.flatMap((group) => textsOf(group, nameAttribute).slice(0, 1)))
  }
  return { ...account, groups: [...new Set(groups)] }
}

/** Of groups that hold a member; `nested`: also by way of other groups. */
export async function memberFilter(attribute: string, member: string, nested: boolean): Promise<Filter> {
  const { EqualityFilter, ExtensibleFilter } = await ldapts()
  return nested ? new ExtensibleFilter({ matchType: attribute, rule: inChain, value: member }) : new EqualityFilter({ attribute, value: member })
}

/** All of them together. Throws Invalid for the text of an administrator that is no filter. */
async function filterOf(texts: readonly (string | undefined)[], wanted: Filter): Promise<Filter> {
  const { AndFilter, FilterParser } = await ldapts()
  const parsed = texts
    .filter((text) => text !== undefined)
    .map((text) => {
      try {
        // A parenthesis that stands for itself is written as \28 or \29; the parser does not mind a missing one.
        if (text.split('(').length !== text.split(')').length) throw new Error('its parentheses do not match')
        return FilterParser.parseString(text)
      } catch (cause) {
        throw new StatusError('Invalid', `${JSON.stringify(text)} is no LDAP filter (RFC 4515): ${cause instanceof Error ? cause.message : String(cause)}`, {
          cause,
        })
      }
    })
  return parsed.length === 0 ? wanted : new AndFilter({ filters: [...parsed, wanted] })
}

function isBinary(attribute: string): boolean {
  return binaryAttributes.has(attribute.toLowerCase())
}

function idOf(entry: Entry, attribute: string): string | undefined {
  const value = valuesOf(entry, attribute)[0]
  if (value === undefined || value.length === 0) return undefined
  return isBinary(attribute) ? Buffer.from(value as string | Buffer).toString('hex') : value.toString()
}

function textsOf(entry: Entry, attribute: string): readonly string[] {
  return valuesOf(entry, attribute)
    .map((value) => value.toString())
    .filter((value) => value !== '')
}

/** Names of attributes have no case: a server may answer in its own spelling. */
function valuesOf(entry: Entry, attribute: string): readonly (string | Buffer)[] {
  const name = Object.keys(entry).find((key) => key.toLowerCase() === attribute.toLowerCase())
  const value = name === undefined ? undefined : entry[name]
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value]
}

/** Whether a distinguished name is one below another: groups elsewhere may be called alike, and be somebody else's to fill. */
export function isBelow(dn: string, base: string): boolean {
  const plain = (text: string): string => text.toLowerCase().replace(/\s*([,=])\s*/g, '$1')
  const [name, end] = [plain(dn), `,${plain(base)}`]
  return name.endsWith(end) && !/(?<!\\)(?:\\\\)*\\$/.test(name.slice(0, -end.length)) // a comma after a backslash is a part of a value
}

/** The value at the front of a distinguished name (RFC 4514): Admins of `CN=Admins,OU=Groups,DC=example`. */
export function firstName(dn: string): string | undefined {
  const value = /^[^=]+=((?:\\[0-9A-Fa-f]{2}|\\.|[^,+\\])+)/.exec(dn)?.[1]
  if (value === undefined) return undefined
  const bytes = value.replace(/((?:\\[0-9A-Fa-f]{2})+)|\\(.)/g, (_, hex: string | undefined, char: string) =>
    hex === undefined ? char : Buffer.from(hex.replaceAll('\\', ''), 'hex').toString('utf8'),
  )
  return bytes
}
