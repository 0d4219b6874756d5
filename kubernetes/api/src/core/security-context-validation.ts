import { dns1123SubdomainProblems, fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, fieldTooLong } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext, WindowsSecurityContextOptions } from '../generated/types.ts'
import { goFields } from './go-fields.ts'
import { validateDescendingPath } from './path-validation.ts'

const maxId = 2 ** 31 - 1
const idRange = `must be between 0 and ${maxId}, inclusive`

function validateId(id: number | undefined, path: string): FieldError[] {
  return id !== undefined && (id < 0 || id > maxId) ? [fieldInvalid(path, id, idRange)] : []
}

const groupChangePolicies = ['Always', 'OnRootMismatch']
const supplementalPolicies = ['Merge', 'Strict']

export function validatePodSecurityContext(context: PodSecurityContext | undefined, path: string, spec: PodSpec): FieldError[] {
  if (context === undefined) return []
  const errors: FieldError[] = [
    ...validateId(context.fsGroup, `${path}.fsGroup`),
    ...validateId(context.runAsUser, `${path}.runAsUser`),
    ...validateId(context.runAsGroup, `${path}.runAsGroup`),
    ...(context.supplementalGroups ?? []).flatMap((id, index) => validateId(id, `${path}.supplementalGroups[${index}]`)),
  ]
  if (spec.shareProcessNamespace === true && spec.hostPID === true)
    errors.push(fieldInvalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'))
  errors.push(...validateSysctls(context, `${path}.sysctls`, spec))
  if (context.fsGroupChangePolicy !== undefined && !groupChangePolicies.includes(context.fsGroupChangePolicy))
    errors.push(fieldNotSupported(`${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, groupChangePolicies))
  errors.push(
    ...validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`),
    ...validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`),
    ...validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`),
  )
  if (context.supplementalGroupsPolicy !== undefined && !supplementalPolicies.includes(context.supplementalGroupsPolicy))
    errors.push(fieldNotSupported(`${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, supplementalPolicies))
  // Mounting with the label needs SELinuxMount, which is off by default.
  if (context.seLinuxChangePolicy !== undefined && context.seLinuxChangePolicy !== 'Recursive')
    errors.push(fieldNotSupported(`${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ['Recursive']))
  return errors
}

const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
const sysctlFormat = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`
// The same language without its backtracking.
const sysctlPattern = /^[a-z0-9]+(?:[-_]+[a-z0-9]+)*(?:[./][a-z0-9]+(?:[-_]+[a-z0-9]+)*)*$/
const maxSysctlLength = 253
const ipcSysctls = ['kernel.shm', 'kernel.msg', 'kernel.sem', 'fs.mqueue.']

function validateSysctls({ sysctls = [] }: PodSecurityContext, path: string, spec: PodSpec): FieldError[] {
  const seen = new Set<string>()
  return sysctls.flatMap(({ name }, index) => {
    const at = `${path}[${index}].name`
    const errors: FieldError[] = []
    if (name === '') errors.push(fieldRequired(at, ''))
    else if (name.length > maxSysctlLength || !sysctlPattern.test(name))
      errors.push(fieldInvalid(at, name, `must have at most ${maxSysctlLength} characters and match regex ${sysctlFormat}`))
    else if (seen.has(name)) errors.push(fieldDuplicate(at, name))
    seen.add(name)
    const dotted = name.replaceAll('/', '.')
    if (spec.hostNetwork === true && dotted.startsWith('net.')) errors.push(fieldInvalid(at, name, "may not be specified when 'hostNetwork' is true"))
    else if (spec.hostIPC === true && ipcSysctls.some((prefix) => dotted.startsWith(prefix)))
      errors.push(fieldInvalid(at, name, "may not be specified when 'hostIPC' is true"))
    return errors
  })
}

const procMounts = ['Default', 'Unmasked']

/** `usesHostUsers`: the pod does not have a user namespace of its own. */
export function validateSecurityContext(context: SecurityContext | undefined, path: string, usesHostUsers: boolean): FieldError[] {
  if (context === undefined) return []
  const errors: FieldError[] = [...validateId(context.runAsUser, `${path}.runAsUser`), ...validateId(context.runAsGroup, `${path}.runAsGroup`)]
  const { procMount } = context
  if (procMount !== undefined) {
    if (!procMounts.includes(procMount)) errors.push(fieldNotSupported(`${path}.procMount`, procMount, procMounts))
    if (usesHostUsers && procMount === 'Unmasked') errors.push(fieldInvalid(`${path}.procMount`, procMount, '`hostUsers` must be false to use `Unmasked`'))
  }
  errors.push(...validateSeccompProfile(context.seccompProfile, `${path}.seccompProfile`))
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true)
      errors.push(fieldInvalid(path, goFields('SecurityContext', context), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'))
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN') === true) {
      errors.push(
        fieldInvalid(path, goFields('SecurityContext', context), 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
      )
    }
  }
  errors.push(
    ...validateWindowsOptions(context.windowsOptions, `${path}.windowsOptions`),
    ...validateAppArmorProfile(context.appArmorProfile, `${path}.appArmorProfile`),
  )
  return errors
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined']

function validateSeccompProfile(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (profile === undefined) return []
  const { type, localhostProfile } = profile
  const errors: FieldError[] = []
  if (type === '') errors.push(fieldRequired(`${path}.type`, 'type is required when seccompProfile is set'))
  else if (!profileTypes.includes(type)) errors.push(fieldNotSupported(`${path}.type`, type, profileTypes))
  if (type === 'Localhost') {
    if (localhostProfile === undefined) errors.push(fieldRequired(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost'))
    else errors.push(...validateDescendingPath(localhostProfile, `${path}.localhostProfile`))
  } else if (localhostProfile !== undefined) {
    errors.push(fieldInvalid(`${path}.localhostProfile`, goFields('SeccompProfile', profile), 'can only be set when seccomp type is Localhost'))
  }
  return errors
}

const maxProfileLength = 4095

export function validateAppArmorProfile(profile: AppArmorProfile | undefined, path: string): FieldError[] {
  if (profile === undefined) return []
  const { type, localhostProfile } = profile
  const at = `${path}.localhostProfile`
  if (type === 'Localhost') {
    if (localhostProfile === undefined) return [fieldRequired(at, 'must be set when AppArmor type is Localhost')]
    const errors: FieldError[] = []
    if (localhostProfile.trim() !== localhostProfile) errors.push(fieldInvalid(at, localhostProfile, 'must not be padded with whitespace'))
    else if (localhostProfile === '') errors.push(fieldRequired(at, 'must be set when AppArmor type is Localhost'))
    if (localhostProfile.length > maxProfileLength) errors.push(fieldTooLong(at, maxProfileLength))
    return errors
  }
  if (type === 'RuntimeDefault' || type === 'Unconfined')
    return localhostProfile === undefined ? [] : [fieldInvalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost')]
  return type === '' ? [fieldRequired(`${path}.type`, 'type is required when appArmorProfile is set')] : [fieldNotSupported(`${path}.type`, type, profileTypes)]
}

const maxCredentialSpecKiB = 64
const maxDomainLength = 256
const maxUserLength = 104
const netBiosName = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/
const dnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const dnsDomain = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`)

function validateWindowsOptions(options: WindowsSecurityContextOptions | undefined, path: string): FieldError[] {
  if (options === undefined) return []
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName } = options
  const errors: FieldError[] =
    name === undefined ? [] : dns1123SubdomainProblems(name).map((problem) => fieldInvalid(`${path}.gmsaCredentialSpecName`, name, problem))
  if (spec === '') errors.push(fieldInvalid(`${path}.gmsaCredentialSpec`, spec, 'gmsaCredentialSpec cannot be an empty string'))
  else if (spec !== undefined && Buffer.byteLength(spec) > maxCredentialSpecKiB * 1024)
    errors.push(fieldInvalid(`${path}.gmsaCredentialSpec`, spec, `gmsaCredentialSpec size must be under ${maxCredentialSpecKiB} KiB`))
  if (runAsUserName !== undefined)
    errors.push(...userNameProblems(runAsUserName).map((problem) => fieldInvalid(`${path}.runAsUserName`, runAsUserName, `runAsUserName${problem}`)))
  return errors
}

/** `DOMAIN\user` of Windows. */
function userNameProblems(name: string): string[] {
  if (name === '') return [' cannot be an empty string']
  if (/\p{Cc}/u.test(name)) return [' cannot contain control characters']
  const parts = name.split('\\')
  if (parts.length > 2) return [' cannot contain more than one backslash']
  const user = parts.at(-1) ?? ''
  const domain = parts.length === 2 ? parts[0] : undefined
  const problems: string[] = []
  if (domain !== undefined && domain.length >= maxDomainLength) problems.push(`'s Domain length must be under ${maxDomainLength} characters`)
  if (domain !== undefined && !netBiosName.test(domain) && !dnsDomain.test(domain)) problems.push("'s Domain doesn't match the NetBios nor the DNS format")
  if (user === '') problems.push("'s User cannot be empty")
  else if (user.length > maxUserLength) problems.push(`'s User length must not be longer than ${maxUserLength} characters`)
  if (/^[. ]+$/.test(user)) problems.push("'s User cannot contain only periods or spaces")
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) problems.push('\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]')
  return problems
}

/** Containers that are processes of a Windows host: all of a pod or none. `containers`: each with where it stands. */
export function validateHostProcess(
  spec: PodSpec,
  path: string,
  containers: readonly { readonly container: { readonly securityContext?: SecurityContext | undefined }; readonly path: string }[],
): FieldError[] {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess
  const errors: FieldError[] = []
  let count = 0
  for (const { container, path: at } of containers) {
    const own = container.securityContext?.windowsOptions?.hostProcess
    if (ofPod !== undefined && own !== undefined && ofPod !== own) {
      errors.push(
        fieldInvalid(`${at}.securityContext.windowsOptions.hostProcess`, own, `pod hostProcess value must be identical if both are specified, was ${ofPod}`),
      )
    }
    if (own ?? ofPod ?? false) count++
  }
  if (count === 0) return errors
  if (count !== containers.length)
    errors.push(fieldInvalid(path, '', 'If pod contains any hostProcess containers then all containers must be HostProcess containers'))
  if (spec.hostNetwork !== true) errors.push(fieldInvalid(`${path}.hostNetwork`, false, 'hostNetwork must be true if pod contains any hostProcess containers'))
  return errors
}

const linuxOnly = 'cannot be set for a windows pod'
const notOnWindows = {
  context: ['appArmorProfile', 'seLinuxOptions'],
  spec: ['hostUsers', 'hostPID', 'hostIPC'],
  rest: ['seccompProfile', 'fsGroup', 'fsGroupChangePolicy', 'sysctls'],
  last: ['runAsUser', 'runAsGroup', 'supplementalGroups', 'supplementalGroupsPolicy', 'seLinuxChangePolicy'],
  container: [
    'appArmorProfile',
    'seLinuxOptions',
    'seccompProfile',
    'capabilities',
    'readOnlyRootFilesystem',
    'privileged',
    'allowPrivilegeEscalation',
    'procMount',
    'runAsUser',
    'runAsGroup',
  ],
} as const

/** What a pod may not ask for on its operating system. */
export function validateForOs(
  spec: PodSpec,
  path: string,
  containers: readonly { readonly container: { readonly securityContext?: SecurityContext | undefined }; readonly path: string }[],
): FieldError[] {
  const context = spec.securityContext
  const contextPath = `${path}.securityContext`
  if (spec.os?.name === 'linux') {
    const detail = 'windows options cannot be set for a linux pod'
    return [
      ...(context?.windowsOptions === undefined ? [] : [fieldForbidden(`${contextPath}.windowsOptions`, detail)]),
      ...containers
        .filter(({ container }) => container.securityContext?.windowsOptions !== undefined)
        .map(({ path: at }) => fieldForbidden(`${at}.securityContext.windowsOptions`, detail)),
    ]
  }
  if (spec.os?.name !== 'windows') return []
  const errors: FieldError[] = []
  const forbid = (holder: object | undefined, fields: readonly string[], at: string): void => {
    for (const field of fields) {
      const value = (holder as Record<string, unknown> | undefined)?.[field]
      if (value !== undefined && !(value === false && field.startsWith('hostP')) && !(value === false && field === 'hostIPC'))
        errors.push(fieldForbidden(`${at}.${field}`, linuxOnly))
    }
  }
  forbid(context, notOnWindows.context, contextPath)
  forbid(spec, notOnWindows.spec, path)
  forbid(context, notOnWindows.rest, contextPath)
  forbid(spec, ['shareProcessNamespace'], path)
  forbid(context, notOnWindows.last, contextPath)
  for (const { container, path: at } of containers) forbid(container.securityContext, notOnWindows.container, `${at}.securityContext`)
  return errors
}
