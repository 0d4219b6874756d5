import { jsonEqual } from '@gantry/apimachinery'
import type { AdmissionPlugin, Authorizer } from '@gantry/apiserver'
import { qualified, refusal } from '@gantry/apiserver'
import type { CertificateSigningRequest } from '../generated/types.ts'
import { as } from '../kind.ts'
import { maySign } from './certificate-signer.ts'

/** Who writes a certificate (or a condition) into the status of a request for one may sign for its signer. */
export function certificateSigning(authorize: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateSigning',
    async validate(request) {
      const { operation, subresource, object, oldObject, context } = request
      if (operation !== 'UPDATE' || subresource !== 'status' || object === undefined || oldObject === undefined) return
      if (qualified(request.definition) !== 'certificatesigningrequests.certificates.k8s.io') return
      const { status } = as<CertificateSigningRequest>(object)
      const { status: old, spec } = as<CertificateSigningRequest>(oldObject)
      if (status?.certificate === old?.certificate && jsonEqual(status?.conditions ?? [], old?.conditions ?? [])) return
      if (await maySign(authorize, context.user, { verb: 'sign', signerName: spec.signerName })) return
      throw refusal(request, `user not permitted to sign requests with signerName ${JSON.stringify(spec.signerName)}`)
    },
  }
}
