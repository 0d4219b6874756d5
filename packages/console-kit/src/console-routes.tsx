import { useTranslation } from 'react-i18next'
import { Redirect, Route, Switch } from 'wouter'
import { useConsole } from './console-context.tsx'
import { AppFrame } from './frame/app-frame.tsx'
import { listRoute, objectRoute } from './model/console-path.ts'
import { GenericList } from './pages/generic-list.tsx'
import { nothingOfItsOwn } from './pages/list-page.tsx'
import { ObjectDetail } from './pages/object-detail.tsx'
import { Empty } from './ui/empty.tsx'
import { HelpIcon } from './ui/icons.ts'

/** The signed-in console: the features' pages and the generic ones, inside the frame. `home` is where it begins; undefined while that is not known. */
export function ConsoleRoutes({ home }: { readonly home: string | undefined }) {
  const { features } = useConsole()
  const pages = features.flatMap((feature) => feature.pages).filter((page) => page.component !== nothingOfItsOwn)
  return (
    <AppFrame>
      <Switch>
        <Route path="/">{home !== undefined && <Redirect to={home} replace />}</Route>
        {pages.map((page) => (
          <Route key={page.path} path={page.path} component={page.component} />
        ))}
        <Route path={listRoute} component={GenericList} />
        <Route path={objectRoute} component={ObjectDetail} />
        <Route>
          <NoSuchPage />
        </Route>
      </Switch>
    </AppFrame>
  )
}

function NoSuchPage() {
  const { t } = useTranslation('kit')
  return <Empty icon={HelpIcon} title={t('frame.noSuchPage')} />
}
