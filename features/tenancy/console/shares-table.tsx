import { TextInput } from '@gantry/console-kit'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { amountOf } from './amounts.ts'

export interface SharesTableProps {
  readonly label: string
  readonly resources: readonly string[]
  readonly rows: readonly {
    readonly key: string
    readonly name: string
    /** Stands instead of the name. */
    readonly head?: ReactNode
    /** What it has unless something else is typed. */
    readonly share: Readonly<Record<string, string>>
    readonly amounts: Readonly<Record<string, string>>
    readonly tail?: ReactNode
  }[]
  readonly onChange: (index: number, amounts: Readonly<Record<string, string>>) => void
  /** Over what stands instead of the name, and behind it. */
  readonly titles: readonly ReactNode[]
}

/** Who gets how much: a line for each, a column for each resource. */
export function SharesTable({ label, resources, rows, onChange, titles }: SharesTableProps) {
  const { t } = useTranslation('tenancy')
  return (
    <div className="overflow-x-auto">
      <table aria-label={label} className="w-full text-sm">
        <thead>
          <tr className="text-left text-xs text-muted">
            {titles.map((title, index) => (
              // oxlint-disable-next-line react/no-array-index-key -- titles stand where they stand
              <th key={index} className="pr-2 pb-1 font-semibold">
                {title}
              </th>
            ))}
            {resources.map((resource) => (
              <th key={resource} className="pr-2 pb-1 font-semibold">
                {resource}
              </th>
            ))}
            <th>
              <span className="sr-only">{t('column.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, name, head, share, amounts, tail }, index) => (
            <tr key={key} className="align-top">
              {head ?? <td className="pr-2 pb-2 font-medium">{name}</td>}
              {resources.map((resource) => {
                const value = amounts[resource] ?? share[resource] ?? ''
                return (
                  <td key={resource} className="min-w-24 pr-2 pb-2">
                    <TextInput
                      aria-label={t('form.amountFor', { resource, name })}
                      aria-invalid={value !== '' && amountOf(value) === undefined}
                      spellCheck={false}
                      value={value}
                      onChange={(event) => onChange(index, { ...amounts, [resource]: event.target.value })}
                    />
                  </td>
                )
              })}
              <td className="w-8 pb-2">{tail}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
