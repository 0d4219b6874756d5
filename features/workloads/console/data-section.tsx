import { CopyButton, IconButton, Section, type DetailProps } from '@gantry/console-kit'
import { EyeIcon } from '@gantry/console-kit/icons'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { decodeBase64 } from './decode-base64.ts'

interface DataObject {
  readonly data?: Readonly<Record<string, string>>
}

/** The entries of a ConfigMap. */
export function ConfigMapSection({ object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const entries = Object.entries((object as DataObject).data ?? {})
  if (entries.length === 0) return undefined
  return (
    <Section title={t('data.title')}>
      <dl className="divide-y divide-line/60">
        {entries.map(([name, value]) => (
          <Entry key={name} name={name} value={value} />
        ))}
      </dl>
    </Section>
  )
}

/** The entries of a Secret: each is shown only when asked for, and never all at once. */
export function SecretSection({ object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const [shown, setShown] = useState<string>()
  const entries = Object.entries((object as DataObject).data ?? {})
  if (entries.length === 0) return undefined
  return (
    <Section title={t('data.title')}>
      <dl className="divide-y divide-line/60">
        {entries.map(([name, encoded]) => {
          const text = decodeBase64(encoded)
          const value = text ?? t('data.binary')
          return (
            <Entry
              key={name}
              name={name}
              value={shown === name ? value : '••••••••'}
              copied={text ?? encoded}
              reveal={
                <IconButton
                  icon={EyeIcon}
                  label={t('data.reveal', { name })}
                  isPressed={shown === name}
                  onClick={() => setShown(shown === name ? undefined : name)}
                  className="size-7"
                />
              }
            />
          )
        })}
      </dl>
    </Section>
  )
}

function Entry({
  name,
  value,
  copied,
  reveal,
}: {
  readonly name: string
  readonly value: string
  readonly copied?: string
  readonly reveal?: React.ReactNode
}) {
  const { t } = useTranslation('workloads')
  return (
    <div className="grid grid-cols-1 gap-1 px-4 py-2 md:grid-cols-[14rem_minmax(0,1fr)_auto]">
      <dt className="pt-1 font-mono text-xs font-medium break-all">{name}</dt>
      <dd>
        <pre
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
          tabIndex={0}
          className="max-h-60 overflow-auto rounded bg-canvas px-2 py-1 font-mono text-xs break-all whitespace-pre-wrap"
        >
          {value}
        </pre>
      </dd>
      <dd className="flex">
        {reveal}
        <CopyButton text={copied ?? value} label={t('data.copy', { name })} className="size-7" />
      </dd>
    </div>
  )
}
