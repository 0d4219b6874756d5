import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { IconButton } from './button.tsx'
import { CheckIcon, CopyIcon } from './icons.ts'

const confirmedMs = 1_500

export function CopyButton({
  text,
  label,
  className,
}: {
  readonly text: string | (() => Promise<string>)
  readonly label?: string
  readonly className?: string
}) {
  const { t } = useTranslation('kit')
  const [isCopied, setCopied] = useState(false)
  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(typeof text === 'string' ? text : await text())
    setCopied(true)
    setTimeout(() => setCopied(false), confirmedMs)
  }
  return (
    <IconButton
      icon={isCopied ? CheckIcon : CopyIcon}
      label={isCopied ? t('common.copied') : (label ?? t('common.copy'))}
      onClick={() => void copy()}
      {...(className === undefined ? {} : { className })}
    />
  )
}
