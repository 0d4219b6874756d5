import { CopyButton, lazily } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'
import type { SecondFactorEnrolment } from '../api/index.ts'

const QrCode = lazily(async () => (await import('./qr-code.tsx')).QrCode)

/** What the authenticator app has to be told, as a picture and as text. */
export function EnrolmentView({ enrolment: { secret, uri } }: { readonly enrolment: SecondFactorEnrolment }) {
  const { t } = useTranslation('access')
  return (
    <div className="flex flex-wrap items-center gap-4">
      {/* Cameras want dark on light, whatever the theme. */}
      <div className="size-44 rounded-md border border-line bg-white p-3">
        <QrCode text={uri} title={t('enrol.picture')} />
      </div>
      <div className="min-w-0 flex-1 basis-40 text-sm">
        <p className="text-muted">{t('enrol.byHand')}</p>
        <p className="mt-1 flex items-center gap-1">
          <code className="font-mono text-xs leading-5 break-words">{secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}</code>
          <CopyButton text={secret} label={t('enrol.copy')} />
        </p>
      </div>
    </div>
  )
}
