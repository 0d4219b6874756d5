import { X509Certificate } from 'node:crypto'
import { dns1123SubdomainProblems, fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, fieldTooMany, jsonEqual } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { claimsVariables, compileField, isProblem, userVariables } from './expressions.ts'
import type { Expression } from './expressions.ts'
import { flag, listOf, readConfiguration, structOf, text, throwIfAny } from './read-configuration.ts'

// AuthenticationConfiguration, apiserver.config.k8s.io/v1. Upstream: apiserver pkg/apis/apiserver/validation.

const maxIssuers = 64
const pathPattern = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/
const pathProblem = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"

/** The name of a user or group: a claim with something before it. */
export interface PrefixedClaim {
  readonly claim: string
  readonly prefix: string
}

/** One issuer of tokens and what its claims mean, checked and compiled. */
export interface JwtRules {
  readonly issuer: {
    readonly url: string
    readonly discoveryURL: string | undefined
    /** PEM; absent: the system's authorities. */
    readonly ca: string | undefined
    readonly audiences: readonly string[]
  }
  readonly username: PrefixedClaim | Expression
  readonly groups: PrefixedClaim | Expression | undefined
  readonly uid: { readonly claim: string } | Expression | undefined
  readonly extra: readonly { readonly key: string; readonly expression: Expression }[]
  readonly requiredClaims: readonly { readonly claim: string; readonly value: string }[]
  readonly claimConditions: readonly Condition[]
  readonly userConditions: readonly Condition[]
}

export interface Condition {
  readonly expression: Expression
  readonly message: string
}

/** Who may come in without a credential: anybody, anybody at these paths, or nobody. */
export interface AnonymousAccess {
  readonly enabled: boolean
  /** Empty: every path. */
  readonly paths: readonly string[]
}

export interface AuthenticationRules {
  readonly jwt: readonly JwtRules[]
  /** Absent: anybody. */
  readonly anonymous: AnonymousAccess | undefined
}

interface ClaimOrExpression {
  readonly claim?: string
  readonly expression?: string
}

interface PrefixedClaimOrExpression extends ClaimOrExpression {
  readonly prefix?: string
}

interface Rule {
  readonly claim?: string
  readonly requiredValue?: string
  readonly expression?: string
  readonly message?: string
}

interface Issuer {
  readonly url?: string
  readonly discoveryURL?: string
  readonly certificateAuthority?: string
  readonly audiences?: readonly string[]
  readonly audienceMatchPolicy?: string
  readonly egressSelectorType?: string
}

interface JwtAuthenticator {
  readonly issuer: Issuer
  readonly claimValidationRules?: readonly Rule[]
  readonly claimMappings: {
    readonly username: PrefixedClaimOrExpression
    readonly groups: PrefixedClaimOrExpression
    readonly uid: ClaimOrExpression
    readonly extra?: readonly { readonly key?: string; readonly valueExpression?: string }[]
  }
  readonly userValidationRules?: readonly Rule[]
}

interface Configuration {
  readonly jwt?: readonly JwtAuthenticator[]
  readonly anonymous?: { readonly enabled?: boolean; readonly conditions?: readonly { readonly path?: string }[] }
}

const claimOrExpression = structOf('ClaimOrExpression', { claim: text, expression: text })
const prefixed = structOf('PrefixedClaimOrExpression', { claim: text, prefix: text, expression: text }, ['prefix'])
const schema = structOf(
  'AuthenticationConfiguration',
  {
    jwt: listOf(
      structOf('JWTAuthenticator', {
        issuer: structOf('Issuer', {
          url: text,
          discoveryURL: text,
          certificateAuthority: text,
          audiences: listOf(text),
          audienceMatchPolicy: text,
          egressSelectorType: text,
        }),
        claimValidationRules: listOf(structOf('ClaimValidationRule', { claim: text, requiredValue: text, expression: text, message: text })),
        claimMappings: structOf('ClaimMappings', {
          username: prefixed,
          groups: prefixed,
          uid: claimOrExpression,
          extra: listOf(structOf('ExtraMapping', { key: text, valueExpression: text })),
        }),
        userValidationRules: listOf(structOf('UserValidationRule', { expression: text, message: text })),
      }),
    ),
    anonymous: structOf('AnonymousAuthConfig', { enabled: flag, conditions: listOf(structOf('AnonymousAuthCondition', { path: text })) }),
  },
  ['anonymous'],
)

export interface AuthenticationLimits {
  /** Issuers whose tokens somebody else judges: those of service accounts. */
  readonly disallowedIssuers: readonly string[]
  /** What was said when the server started: it cannot change while it runs. Absent: this is the start. */
  readonly initial?: AuthenticationRules | undefined
}

/** Reads and compiles the file. Throws an Error that names every field that is wrong; no secret is in these files. */
export function parseAuthenticationConfiguration(content: string, limits: AuthenticationLimits): AuthenticationRules {
  const configuration = readConfiguration(content, 'AuthenticationConfiguration', schema) as Configuration
  const { jwt = [], anonymous } = configuration
  if (jwt.length > maxIssuers) throwIfAny([fieldTooMany('jwt', jwt.length, maxIssuers)])
  const problems: FieldError[] = []
  const issuers = new Set<string>()
  const discoveries = new Set<string>()
  const rules: JwtRules[] = []
  for (const [index, one] of jwt.entries()) {
    const field = `jwt[${index}]`
    const { url = '', discoveryURL = '' } = one.issuer
    rules.push(new Reader(problems, limits).rulesOf(one, field))
    if (issuers.has(url)) problems.push(fieldDuplicate(`${field}.issuer.url`, url))
    if (discoveryURL !== '' && discoveries.has(discoveryURL)) problems.push(fieldDuplicate(`${field}.issuer.discoveryURL`, discoveryURL))
    issuers.add(url)
    discoveries.add(discoveryURL)
  }
  const paths = (anonymous?.conditions ?? []).map(({ path = '' }) => path)
  if (anonymous !== undefined && anonymous.enabled !== true && paths.length > 0)
    problems.push(
      fieldInvalid(
        'anonymous.conditions',
        paths.map((path) => ({ Path: path })),
        'enabled should be set to true when conditions are defined',
      ),
    )
  const access = anonymous === undefined ? undefined : { enabled: anonymous.enabled === true, paths }
  if (limits.initial !== undefined && !jsonEqual(limits.initial.anonymous ?? null, access ?? null))
    problems.push(fieldForbidden('anonymous', 'changed from initial configuration file'))
  throwIfAny(problems)
  return { jwt: rules, anonymous: access }
}

/** Reads one issuer and collects what is wrong with it; what it returns counts only if nothing is. */
class Reader {
  readonly #problems: FieldError[]
  readonly #limits: AuthenticationLimits

  constructor(problems: FieldError[], limits: AuthenticationLimits) {
    this.#problems = problems
    this.#limits = limits
  }

  rulesOf(authenticator: JwtAuthenticator, field: string): JwtRules {
    const { issuer, claimMappings: mappings } = authenticator
    this.#issuer(issuer, `${field}.issuer`)
    const conditions = this.#claimRules(authenticator.claimValidationRules ?? [], `${field}.claimValidationRules`)
    const at = `${field}.claimMappings`
    const username = this.#name(mappings.username, `${at}.username`, true) ?? { claim: '', prefix: '' }
    const groups = this.#name(mappings.groups, `${at}.groups`, false)
    const uid = this.#uid(mappings.uid, `${at}.uid`)
    const extra = this.#extra(mappings.extra ?? [], `${at}.extra`)
    const readers = [...extra, ...conditions.conditions].map(({ expression }) => expression)
    if ('program' in username) {
      const verifies = [username, ...readers].some(({ program }) => program.selects('claims', 'email_verified'))
      // A mail address that nobody has verified is anybody's.
      if (username.program.selects('claims', 'email') && !verifies) {
        const detail =
          'claims.email_verified must be used in claimMappings.username.expression or claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression'
        this.#problems.push(fieldInvalid(`${at}.username.expression`, username.text, detail))
      }
    }
    return {
      issuer: { url: issuer.url ?? '', discoveryURL: issuer.discoveryURL, ca: issuer.certificateAuthority, audiences: issuer.audiences ?? [] },
      username,
      groups,
      uid,
      extra,
      requiredClaims: conditions.required,
      claimConditions: conditions.conditions,
      userConditions: this.#userRules(authenticator.userValidationRules ?? [], `${field}.userValidationRules`),
    }
  }

  #issuer(issuer: Issuer, field: string): void {
    const { url = '', discoveryURL = '', audiences = [], audienceMatchPolicy = '', egressSelectorType = '' } = issuer
    if (url === '') this.#problems.push(fieldRequired(`${field}.url`))
    else this.#url(url, `${field}.url`, this.#limits.disallowedIssuers)
    if (discoveryURL !== '') {
      if (url !== '' && url.replace(/\/+$/, '') === discoveryURL.replace(/\/+$/, ''))
        this.#problems.push(fieldInvalid(`${field}.discoveryURL`, discoveryURL, 'discoveryURL must be different from URL'))
      this.#url(discoveryURL, `${field}.discoveryURL`, [])
    }
    this.#audiences(audiences, audienceMatchPolicy, field)
    const ca = issuer.certificateAuthority
    if (ca !== undefined && !holdsCertificates(ca))
      this.#problems.push(fieldInvalid(`${field}.certificateAuthority`, '<omitted>', 'data does not contain any valid RSA or ECDSA certificates'))
    if (egressSelectorType !== '') this.#problems.push(fieldInvalid(`${field}.egressSelectorType`, egressSelectorType, 'egress selectors are not offered here'))
  }

  #url(url: string, field: string, disallowed: readonly string[]): void {
    const wrong = (detail: string): void => void this.#problems.push(fieldInvalid(field, url, detail))
    if (disallowed.includes(url)) wrong(`URL must not overlap with disallowed issuers: [${disallowed.toSorted().join(' ')}]`)
    const [, scheme = '', authority = '', query = '', fragment = ''] =
      /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/is.exec(url) ?? []
    if (scheme.toLowerCase() !== 'https') wrong('URL scheme must be https')
    else if (!URL.canParse(url)) wrong('URL cannot be parsed')
    if (authority.includes('@')) wrong('URL must not contain a username or password')
    if (query !== '') wrong('URL must not contain a query')
    if (fragment !== '') wrong('URL must not contain a fragment')
  }

  #audiences(audiences: readonly string[], policy: string, field: string): void {
    if (audiences.length === 0) this.#problems.push(fieldRequired(`${field}.audiences`, `at least one ${field}.audiences is required`))
    const seen = new Set<string>()
    for (const [index, audience] of audiences.entries()) {
      if (audience === '') this.#problems.push(fieldRequired(`${field}.audiences[${index}]`))
      if (seen.has(audience)) this.#problems.push(fieldDuplicate(`${field}.audiences[${index}]`, audience))
      seen.add(audience)
    }
    const wrong = (detail: string): void => void this.#problems.push(fieldInvalid(`${field}.audienceMatchPolicy`, policy, detail))
    if (audiences.length > 1 && policy !== 'MatchAny') wrong('audienceMatchPolicy must be MatchAny for multiple audiences')
    if (audiences.length === 1 && policy !== '' && policy !== 'MatchAny') wrong('audienceMatchPolicy must be empty or MatchAny for single audience')
  }

  #claimRules(rules: readonly Rule[], field: string): { readonly required: JwtRules['requiredClaims']; readonly conditions: readonly Condition[] } {
    const required: { claim: string; value: string }[] = []
    const conditions: Condition[] = []
    const seen = new Set<string>()
    for (const [index, { claim = '', requiredValue = '', expression = '', message = '' }] of rules.entries()) {
      const at = `${field}[${index}]`
      if (claim !== '' && expression !== '') this.#problems.push(fieldInvalid(at, claim, "claim and expression can't both be set"))
      else if (claim === '' && expression === '') this.#problems.push(fieldRequired(at, 'claim or expression is required'))
      else if (claim !== '') {
        if (message !== '') this.#problems.push(fieldInvalid(`${at}.message`, message, 'may not be specified when claim is set'))
        if (required.some((one) => one.claim === claim)) this.#problems.push(fieldDuplicate(`${at}.claim`, claim))
        required.push({ claim, value: requiredValue })
      } else {
        if (requiredValue !== '') this.#problems.push(fieldInvalid(`${at}.requiredValue`, requiredValue, 'may not be specified when expression is set'))
        const compiled = this.#condition(expression, `${at}.expression`, { seen, variables: claimsVariables })
        if (compiled !== undefined) conditions.push({ expression: compiled, message })
      }
    }
    return { required, conditions }
  }

  #userRules(rules: readonly Rule[], field: string): readonly Condition[] {
    const conditions: Condition[] = []
    const seen = new Set<string>()
    for (const [index, { expression = '', message = '' }] of rules.entries()) {
      const compiled = this.#condition(expression, `${field}[${index}].expression`, { seen, variables: userVariables })
      if (compiled !== undefined) conditions.push({ expression: compiled, message })
    }
    return conditions
  }

  #condition(
    expression: string,
    field: string,
    { seen, variables }: { readonly seen: Set<string>; readonly variables: typeof claimsVariables | typeof userVariables },
  ): Expression | undefined {
    if (expression === '') this.#problems.push(fieldRequired(field))
    else if (seen.has(expression)) this.#problems.push(fieldDuplicate(field, expression))
    else {
      seen.add(expression)
      return this.#kept(compileField(expression, { field, variables, isCondition: true }))
    }
    return undefined
  }

  #name({ claim = '', prefix, expression = '' }: PrefixedClaimOrExpression, field: string, isRequired: boolean): PrefixedClaim | Expression | undefined {
    if (claim !== '' && expression !== '') this.#problems.push(fieldInvalid(field, '', "claim and expression can't both be set"))
    else if (expression !== '') {
      if (prefix !== undefined) this.#problems.push(fieldInvalid(`${field}.prefix`, prefix, 'may not be specified when expression is set'))
      return this.#mapping(expression, `${field}.expression`)
    } else if (claim !== '') {
      if (prefix === undefined)
        this.#problems.push(fieldRequired(`${field}.prefix`, 'prefix is required when claim is set. It can be set to an empty string to disable prefixing'))
      return { claim, prefix: prefix ?? '' }
    } else if (isRequired) this.#problems.push(fieldRequired(field, 'claim or expression is required'))
    return undefined
  }

  #uid({ claim = '', expression = '' }: ClaimOrExpression, field: string): JwtRules['uid'] {
    if (claim !== '' && expression !== '') this.#problems.push(fieldInvalid(field, '', "claim and expression can't both be set"))
    else if (expression !== '') return this.#mapping(expression, `${field}.expression`)
    else if (claim !== '') return { claim }
    return undefined
  }

  #extra(mappings: readonly { readonly key?: string; readonly valueExpression?: string }[], field: string): JwtRules['extra'] {
    const extra: { key: string; expression: Expression }[] = []
    const seen = new Set<string>()
    for (const [index, { key = '', valueExpression = '' }] of mappings.entries()) {
      const at = `${field}[${index}]`
      this.#problems.push(...keyProblems(key, `${at}.key`))
      if (seen.has(key)) {
        this.#problems.push(fieldDuplicate(`${at}.key`, key))
        continue
      }
      seen.add(key)
      if (valueExpression === '') {
        this.#problems.push(fieldRequired(`${at}.valueExpression`))
        continue
      }
      const expression = this.#mapping(valueExpression, `${at}.valueExpression`)
      if (expression !== undefined) extra.push({ key, expression })
    }
    return extra
  }

  #mapping(expression: string, field: string): Expression | undefined {
    return this.#kept(compileField(expression, { field, variables: claimsVariables }))
  }

  #kept(compiled: Expression | FieldError): Expression | undefined {
    if (!isProblem(compiled)) return compiled
    this.#problems.push(compiled)
    return undefined
  }
}

/** Keys belong to a domain: nobody then takes one for somebody else's, and least of all for one of Kubernetes' own. */
function keyProblems(key: string, field: string): FieldError[] {
  if (key === '') return [fieldRequired(field)]
  const problems: FieldError[] = []
  const [domain = '', ...rest] = key.split('/')
  const path = rest.join('/')
  if (domain === '' || path === '') problems.push(fieldInvalid(field, key, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  else {
    problems.push(...dns1123SubdomainProblems(domain).map((problem) => fieldInvalid(field, domain, problem)))
    if (!pathPattern.test(path)) problems.push(fieldInvalid(field, path, pathProblem))
  }
  if (key !== key.toLowerCase()) problems.push(fieldInvalid(field, key, 'must be lowercase'))
  if (path !== '' && /(^|\.)(kubernetes|k8s)\.io$/.test(domain))
    problems.push(fieldInvalid(field, key, 'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use'))
  return problems
}

function holdsCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    for (const block of blocks) new X509Certificate(block)
    return blocks.length > 0
  } catch {
    return false
  }
}
