import type { AdmissionPlugin } from '@gantry/apiserver'
import { refusal } from '@gantry/apiserver'
import type { CertificateSigningRequest } from '../generated/types.ts'
import { as } from '../kind.ts'
import { isAbout } from './admitted-resource.ts'
import { certificateRequestSubject } from './certificate-request-subject.ts'

const signer = 'kubernetes.io/kube-apiserver-client'
const administrators = 'system:masters'

/** Nobody gets a client certificate of the one group that RBAC does not hold back. */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  validate(request) {
    if (request.operation !== 'CREATE' || !isAbout(request, 'certificates.k8s.io', 'certificatesigningrequests') || request.object === undefined) return
    const { spec } = as<CertificateSigningRequest>(request.object)
    if (spec.signerName !== signer) return
    let organizations: readonly string[]
    try {
      ;({ organizations } = certificateRequestSubject(spec.request ?? ''))
    } catch (error) {
      throw refusal(request, `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (organizations.includes(administrators)) throw refusal(request, `use of ${signer} signer with ${administrators} group is not allowed`)
  },
}
