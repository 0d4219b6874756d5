import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Column } from '../definitions.ts'
import { remember, remembered } from '../theme/remembered.ts'
import { IconButton } from '../ui/button.tsx'
import { ColumnsIcon } from '../ui/icons.ts'
import { Menu, MenuLabel, MenuToggle } from '../ui/menu.tsx'

/** Which columns of a table a person does not want to see, remembered by this browser. */
export function useHiddenColumns(table: string): { readonly hidden: ReadonlySet<string>; readonly setHidden: (id: string, isHidden: boolean) => void } {
  const key = `gantry.hidden-columns.${table}`
  const [ids, setIds] = useState<readonly string[]>(() => (remembered(key) ?? '').split(' ').filter(Boolean))
  return useMemo(
    () => ({
      hidden: new Set(ids),
      setHidden(id, isHidden) {
        const next = isHidden ? [...ids, id] : ids.filter((other) => other !== id)
        setIds(next)
        remember(key, next.length === 0 ? undefined : next.join(' '))
      },
    }),
    [ids, key],
  )
}

export function ColumnChoice<Row>({
  columns,
  hidden,
  onChange,
}: {
  readonly columns: readonly Column<Row>[]
  readonly hidden: ReadonlySet<string>
  readonly onChange: (id: string, isHidden: boolean) => void
}) {
  const { t } = useTranslation('kit')
  return (
    <Menu trigger={<IconButton icon={ColumnsIcon} label={t('table.columns')} />}>
      <MenuLabel>{t('table.columns')}</MenuLabel>
      {columns.slice(1).map((column) => (
        <MenuToggle key={column.id} checked={!hidden.has(column.id)} onChange={(isShown) => onChange(column.id, !isShown)}>
          {t(column.title)}
        </MenuToggle>
      ))}
    </Menu>
  )
}
