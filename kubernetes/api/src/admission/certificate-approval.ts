import type { AdmissionPlugin, Authorizer } from '@gantry/apiserver'
import { qualified, refusal } from '@gantry/apiserver'
import type { CertificateSigningRequest } from '../generated/types.ts'
import { as } from '../kind.ts'
import { maySign } from './certificate-signer.ts'

/** Who approves a request for a certificate may do so for its signer. */
export function certificateApproval(authorize: Authorizer): AdmissionPlugin {
  return {
    name: 'CertificateApproval',
    async validate(request) {
      const { operation, subresource, oldObject, context } = request
      if (operation !== 'UPDATE' || subresource !== 'approval' || oldObject === undefined) return
      if (qualified(request.definition) !== 'certificatesigningrequests.certificates.k8s.io') return
      // The signer that was asked for, whatever this update says.
      const { signerName } = as<CertificateSigningRequest>(oldObject).spec
      if (await maySign(authorize, context.user, { verb: 'approve', signerName })) return
      throw refusal(request, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`)
    },
  }
}
