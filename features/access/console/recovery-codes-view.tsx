import { CopyButton, Notice } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

/** Codes that are shown this once. */
export function RecoveryCodesView({ codes }: { readonly codes: readonly string[] }) {
  const { t } = useTranslation('access')
  return (
    <div className="flex flex-col gap-3">
      <Notice tone="warn" title={t('recovery.title')}>
        {t('recovery.help')}
      </Notice>
      <div className="flex items-start gap-2 rounded-md border border-line bg-panel p-3">
        <ol aria-label={t('recovery.title')} className="grid flex-1 grid-cols-1 gap-x-3 gap-y-1 font-mono text-xs leading-5 whitespace-nowrap sm:grid-cols-2">
          {codes.map((code) => (
            <li key={code}>{code}</li>
          ))}
        </ol>
        <CopyButton text={codes.join('\n')} label={t('recovery.copy')} />
      </div>
    </div>
  )
}
