import { Checkbox, useConsole } from '@gantry/console-kit'
import { useTranslation } from 'react-i18next'

export interface ClusterChoiceProps {
  /** What "all" says here. */
  readonly allLabel: string
  /** Of which may be chosen; undefined: of all that the caller knows. */
  readonly allowed: readonly string[] | undefined
  /** None: all. */
  readonly chosen: readonly string[]
  readonly onChange: (chosen: readonly string[]) => void
}

/** Clusters that may be named: those that are allowed, or where all are, those that the caller sees. */
export function useClusterNames(allowed: readonly string[] | undefined): readonly string[] {
  const { fleet } = useConsole()
  return allowed ?? fleet.members.map(({ name }) => name)
}

/** All clusters, or some. */
export function ClusterChoice({ allLabel, allowed, chosen, onChange }: ClusterChoiceProps) {
  const { t } = useTranslation('tenancy')
  const names = useClusterNames(allowed)
  const options = [...new Set([...names, ...chosen])]
  return (
    <fieldset className="flex flex-col gap-1.5">
      <legend className="mb-1 text-sm font-medium">{t('column.clusters')}</legend>
      <Checkbox
        label={allLabel}
        checked={chosen.length === 0}
        disabled={options.length === 0}
        onChange={(event) => onChange(event.target.checked ? [] : options.slice(0, 1))}
      />
      {chosen.length > 0 && (
        <div className="flex max-h-40 flex-col gap-1.5 overflow-y-auto rounded-md border border-line p-2">
          {options.map((name) => (
            <Checkbox
              key={name}
              label={name}
              checked={chosen.includes(name)}
              onChange={(event) => onChange(event.target.checked ? [...chosen, name] : chosen.filter((other) => other !== name))}
            />
          ))}
        </div>
      )}
    </fieldset>
  )
}
