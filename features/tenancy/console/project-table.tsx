import { classNames, SearchBox, StatusText, TableLink } from '@gantry/console-kit'
import { ChevronRightIcon } from '@gantry/console-kit/icons'
import { useDeferredValue, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Project } from '../api/index.ts'
import { matching, projectTree } from './project-tree.ts'
import { hrefOf, nameOf, scopeOfProject, textOf } from './scope.ts'
import { stateOf } from './state.ts'

/** Drawn at most: a search finds the others. */
const shownRows = 300
const searchedFrom = 8
const head = 'px-3 py-2 text-left text-xs font-semibold text-muted'
const cell = 'px-3 py-2.5 align-top'
const wide = 'hidden lg:table-cell'
const medium = 'hidden sm:table-cell'

/** Projects as a tree: each under what it stands in. */
export function ProjectTable({ projects, isInTenant = false }: { readonly projects: readonly Project[]; readonly isInTenant?: boolean }) {
  const { t } = useTranslation('tenancy')
  const [text, setText] = useState('')
  const sought = useDeferredValue(text)
  const rows = projectTree(matching(projects, sought))
  return (
    <>
      {projects.length >= searchedFrom && (
        <div className={classNames('flex', isInTenant && 'border-b border-line px-4 py-2')}>
          <SearchBox value={text} onChange={setText} onSettled={setText} />
        </div>
      )}
      <div className={classNames(!isInTenant && 'rounded-lg border border-line bg-panel')}>
        <table className="w-full table-fixed text-sm" aria-label={t('projects.title')}>
          <thead>
            <tr className="border-b border-line">
              <th className={classNames(head, 'w-1/2 pl-4 lg:w-1/3')}>{t('column.project')}</th>
              <th className={head}>{t('column.state')}</th>
              <th className={classNames(head, medium, 'w-32')}>{t('column.namespaces')}</th>
              <th className={classNames(head, wide, 'w-1/5')}>{t('column.clusters')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shownRows).map((row) => (
              <ProjectRow key={row.project.metadata.uid} {...row} isInTenant={isInTenant} />
            ))}
          </tbody>
        </table>
        {rows.length === 0 && <p className="px-4 py-3 text-sm text-muted">{t('projects.noMatch')}</p>}
        {rows.length > shownRows && <p className="px-4 py-3 text-sm text-muted">{t('projects.more', { count: rows.length - shownRows })}</p>}
      </div>
    </>
  )
}

const deepest = 6

function ProjectRow({ project, depth, isInTenant }: { readonly project: Project; readonly depth: number; readonly isInTenant: boolean }) {
  const { t } = useTranslation('tenancy')
  const scope = scopeOfProject(project)
  const state = stateOf(project)
  const { clusters, quota } = project.spec
  const count = project.status?.quota?.namespaces ?? 0
  return (
    <tr className="border-b border-line/60 last:border-0 hover:bg-hover">
      <td className={classNames(cell, 'pl-4')}>
        <div className="flex min-w-0 items-start gap-1" style={{ paddingLeft: `${Math.min(depth, deepest) * 1.25}rem` }}>
          {depth > 0 && <ChevronRightIcon aria-hidden className="mt-0.5 size-3.5 shrink-0 text-faint" />}
          <div className="min-w-0">
            <span className="block font-medium break-words">
              <TableLink href={hrefOf(scope)}>{nameOf(project)}</TableLink>
            </span>
            {(!isInTenant || nameOf(project) !== scope.project) && (
              <span className="block truncate text-xs text-muted">{isInTenant ? scope.project : textOf(scope)}</span>
            )}
          </div>
        </div>
      </td>
      <td className={cell}>
        <StatusText status={state} />
        {state.detail !== undefined && <p className="mt-0.5 line-clamp-3 text-xs break-words text-muted">{state.detail}</p>}
      </td>
      <td className={classNames(cell, medium, 'tabular-nums')}>
        {quota?.namespaces === undefined ? count : t('quota.of', { taken: count, limit: quota.namespaces })}
      </td>
      <td className={classNames(cell, wide, 'break-words')}>
        {clusters === undefined || clusters.includes('*') ? <span className="text-muted">{t('clustersOfAbove')}</span> : clusters.join(', ')}
      </td>
    </tr>
  )
}
