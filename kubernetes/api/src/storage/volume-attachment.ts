import { dns1123SubdomainProblems, fieldForbidden, fieldInvalid, fieldIsImmutable, fieldRequired, fieldTooLong } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { goFields } from '../core/go-fields.ts'
import { validateVolumeSpec } from '../core/persistent-volume.ts'
import type { VolumeAttachment, VolumeAttachmentSource, VolumeError } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateDriverName } from './csi-node.ts'

const maxMetadataBytes = 256 * 1024
const maxMessageBytes = 1024
const maxInt32 = 2_147_483_647

export const volumeAttachment: BuiltinKind = {
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.storage.v1.VolumeAttachment',
  groupPriority: 16800,
  hasStatus: true,
  statusKeeps: 'metadata',
  returnsDeletedObject: true,
  columns: [
    nameCell,
    { ...column<VolumeAttachment>('Attacher', ({ spec }) => spec.attacher, { description: 'The driver that attaches.' }), format: 'name' },
    column<VolumeAttachment>('PV', ({ spec }) => spec.source.persistentVolumeName ?? '', { description: 'The volume.' }),
    column<VolumeAttachment>('Node', ({ spec }) => spec.nodeName, { description: 'The node that it goes to.' }),
    column<VolumeAttachment>('Attached', ({ status }) => status?.attached ?? false, { type: 'boolean', description: 'Whether it is there.' }),
    ageCell,
  ],
  prepareForCreate(object) {
    object['status'] = { attached: false }
  },
  validate(object) {
    const { attacher, source, nodeName } = as<VolumeAttachment>(object).spec
    const errors = [...validateDriverName(attacher, 'spec.attacher'), ...validateSource(source)]
    for (const problem of dns1123SubdomainProblems(nodeName)) errors.push(fieldInvalid('spec.nodeName', nodeName, problem))
    errors.push(...validateStatus(as<VolumeAttachment>(object)))
    const name = source.persistentVolumeName
    if (name !== undefined) for (const problem of dns1123SubdomainProblems(name)) errors.push(fieldInvalid('spec.source.persistentVolumeName', name, problem))
    return errors
  },
  validateUpdate(object, old) {
    const [next, before] = [as<VolumeAttachment>(object).spec, as<VolumeAttachment>(old).spec]
    if (JSON.stringify(next) === JSON.stringify(before)) return []
    // Upstream shows its internal type.
    const { persistentVolumeName = null, inlineVolumeSpec } = next.source
    const shown = {
      Attacher: next.attacher,
      Source: {
        PersistentVolumeName: persistentVolumeName,
        InlineVolumeSpec: inlineVolumeSpec === undefined ? null : goFields('PersistentVolumeSpec', inlineVolumeSpec),
      },
      NodeName: next.nodeName,
    }
    return [fieldInvalid('spec', shown, fieldIsImmutable)]
  },
  validateStatusUpdate: (object) => validateStatus(as<VolumeAttachment>(object)),
}

function validateSource({ persistentVolumeName, inlineVolumeSpec }: VolumeAttachmentSource): FieldError[] {
  const path = 'spec.source'
  if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) {
    return [fieldForbidden(path, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]
  }
  if (inlineVolumeSpec !== undefined) return validateVolumeSpec(inlineVolumeSpec, { name: '', path: `${path}.inlineVolumeSpec`, isInline: true })
  if (persistentVolumeName === undefined) return [fieldRequired(path, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')]
  return persistentVolumeName === '' ? [fieldRequired(`${path}.persistentVolumeName`, 'must specify non empty persistentVolumeName')] : []
}

function validateStatus({ status }: VolumeAttachment): FieldError[] {
  const bytes = Object.entries(status?.attachmentMetadata ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  const errors = bytes > maxMetadataBytes ? [fieldTooLong('status.attachmentMetadata', maxMetadataBytes)] : []
  return [...errors, ...validateVolumeError(status?.attachError, 'status.attachError'), ...validateVolumeError(status?.detachError, 'status.detachError')]
}

function validateVolumeError(error: VolumeError | undefined, path: string): FieldError[] {
  // The message names the larger limit, as upstream's does.
  const errors = Buffer.byteLength(error?.message ?? '') > maxMessageBytes ? [fieldTooLong(`${path}.message`, maxMetadataBytes)] : []
  const code = error?.errorCode
  if (code !== undefined && code < 0) errors.push(fieldInvalid(`${path}.errorCode`, code, `must be between 0 and ${maxInt32}, inclusive`))
  return errors
}
