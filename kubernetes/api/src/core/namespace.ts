import { StatusError, dns1123LabelProblems, fieldInvalid, invalidError, labelKeyProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { SubresourceCall } from '@gantry/apiserver'
import { valueResponse } from '@gantry/apiserver'
import type { Definitions } from '@gantry/apimachinery'
import type { HttpResponse } from '@gantry/runtime'
import type { Namespace } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'

const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public'])
const nameLabel = 'kubernetes.io/metadata.name'
const type = 'io.k8s.api.core.v1.Namespace'

/**
 * `furnish` gives a new namespace what it must have before its creator hears of it (its default service account): upstream leaves that to a controller, and the first pod of a
 * new namespace may be refused there.
 */
export function namespaceKind(types: Definitions, furnish: (namespace: string) => Promise<void>): BuiltinKind {
  const schema = types.get(type)
  return {
    group: '',
    version: 'v1',
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    metaChecksOnUpdate: 'both',
    type,
    groupPriority: 18000,
    hasStatus: true,
    allowUnconditionalUpdate: true,
    returnsDeletedObject: true,
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    selectableFields: { 'status.phase': (object) => as<Namespace>(object).status?.phase ?? '' },
    columns: [nameCell, column<Namespace>('Status', (object) => object.status?.phase ?? '', { description: 'The phase: Active or Terminating.' }), ageCell],
    validateName: dns1123LabelProblems,
    subresources: {
      finalize: {
        kind: { group: '', version: 'v1', kind: 'Namespace' },
        verbs: ['update'],
        ...(schema === undefined ? {} : { schema }),
        handle: finalize,
      },
    },
    prepareForCreate(object) {
      const namespace = as<Namespace>(object)
      namespace.status = { phase: 'Active' }
      // A name that is made up is there only now.
      object.metadata.labels = { ...object.metadata.labels, [nameLabel]: object.metadata.name }
      const given = namespace.spec?.finalizers ?? []
      namespace.spec = { ...namespace.spec, finalizers: given.includes('kubernetes') ? given : [...given, 'kubernetes'] }
    },
    prepareForUpdate(object, old) {
      // The finalizers of the spec belong to the finalize subresource.
      if (as<Namespace>(old).spec !== undefined) object['spec'] = old['spec']
    },
    applyDefaults(object) {
      const { status } = as<Namespace>(object)
      if (status !== undefined) status.phase ||= 'Active'
      if ((object.metadata.name ?? '') !== '') object.metadata.labels = { ...object.metadata.labels, [nameLabel]: object.metadata.name }
    },
    validate: (object, old) =>
      old === undefined ? (as<Namespace>(object).spec?.finalizers ?? []).flatMap((name) => validateFinalizer(name, 'spec.finalizers')) : [],
    validateStatusUpdate(object) {
      const phase = as<Namespace>(object).status?.phase ?? ''
      const isTerminating = object.metadata.deletionTimestamp !== undefined
      if (phase === (isTerminating ? 'Terminating' : 'Active')) return []
      return [
        fieldInvalid(
          'status.Phase',
          phase,
          isTerminating ? "may only be 'Terminating' if `deletionTimestamp` is not empty" : "may only be 'Active' if `deletionTimestamp` is empty",
        ),
      ]
    },
    afterCreate: (object) => furnish(object.metadata.name),
    isFinalized: (object) => (as<Namespace>(object).spec?.finalizers ?? []).length === 0,
    prepareForDelete(object) {
      const namespace = as<Namespace>(object)
      namespace.status = { ...namespace.status, phase: 'Terminating' }
      // Nothing is counted down: it goes when its content has gone.
      delete object.metadata.deletionGracePeriodSeconds
    },
    checkDelete({ metadata }) {
      if (immortal.has(metadata.name)) {
        throw new StatusError('Forbidden', `namespaces ${JSON.stringify(metadata.name)} is forbidden: this namespace may not be deleted`, {
          details: { name: metadata.name, kind: 'namespaces' },
        })
      }
    },
  }
}

/** PUT …/finalize replaces spec.finalizers and nothing else; with none left a terminating namespace goes (S12). */
async function finalize(call: SubresourceCall): Promise<HttpResponse> {
  const body = as<Namespace>(await call.body())
  const errors = (body.spec?.finalizers ?? []).flatMap((name, index) => validateFinalizer(name, `spec.finalizers[${index}]`))
  if (errors.length > 0) throw invalidError({ group: '', kind: 'Namespace' }, call.name, errors)
  const changed = await call.change((parent) => {
    const namespace = as<Namespace>(parent)
    const finalizers = body.spec?.finalizers ?? []
    namespace.spec = finalizers.length === 0 ? {} : { finalizers }
  })
  return valueResponse(200, changed, { media: 'json', pretty: false })
}

const standardFinalizers: readonly string[] = ['kubernetes', 'orphan', 'foregroundDeletion']

function validateFinalizer(name: string, path: string): FieldError[] {
  const errors = labelKeyProblems(name).map((problem) => fieldInvalid(path, name, problem))
  if (!name.includes('/') && !standardFinalizers.includes(name))
    errors.push(fieldInvalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified'))
  return errors
}
