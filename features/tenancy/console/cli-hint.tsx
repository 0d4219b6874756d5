import { CopyButton } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

/** The words of the command line that do the same. */
export function CliHint({ children }: { readonly children: string }) {
  const { t } = useTranslation('tenancy')
  return (
    <div className="text-xs text-muted">
      <span>{t('cli')}</span>
      <div className="mt-0.5 flex items-start gap-1">
        <code className="min-w-0 flex-1 rounded bg-neutral-soft px-1.5 py-1 font-mono break-words">{children}</code>
        <CopyButton text={children} className="size-7" />
      </div>
    </div>
  )
}
