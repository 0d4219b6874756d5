import { AuthorizePage, DevicePage, readSession, safeReturn, SignInPage, signOut } from '@gantry/access/console'
import { useFleet } from '@gantry/clusters/console'
import {
  browserClock,
  ConsoleContext,
  ConsoleRoutes,
  createConsoleApi,
  createKubeClient,
  createStreamBudget,
  LiveRegistry,
  QueryClient,
  QueryClientProvider,
  ServicesContext,
  StartFailure,
  streamsOfThisPage,
  TipProvider,
  ToastProvider,
  type ConsoleServices,
  type SignedIn,
} from '@gantry/console-kit'
import { useProjectFleet } from '@gantry/tenancy/console'
import { namespaceType } from '@gantry/workloads/console'
import { useCallback, useEffect, useMemo, useState } from 'react'
import { Redirect, Route, Router, Switch, useLocation, useSearch } from 'wouter'
import { features } from './features.ts'

/** Below Vite's `base`. */
const basePath = import.meta.env.BASE_URL.replace(/\/$/, '')

/** Told by the API client on an answer 401, wherever it was asked. */
const unauthorized = 'gantry-unauthorized'

/** For a check that is made again on the next occasion. */
const ignore = (): void => undefined

type Session =
  | { readonly phase: 'reading' }
  | { readonly phase: 'out' }
  | { readonly phase: 'in'; readonly user: SignedIn }
  | { readonly phase: 'failed'; readonly error: unknown }

export function App() {
  const [session, setSession] = useState<Session>({ phase: 'reading' })
  const [services] = useState(() => buildServices(() => dispatchEvent(new Event(unauthorized))))
  const [queries] = useState(() => new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false } } }))

  const end = useCallback(() => {
    services.registry.clear()
    queries.clear()
    setSession({ phase: 'out' })
  }, [services, queries])

  useEffect(() => {
    // Whether it is the session or a cluster's own credentials that were refused, only the gateway knows.
    const check = (): void => void readSession(services.api).then((user) => user === undefined && end(), ignore)
    addEventListener(unauthorized, check)
    return () => removeEventListener(unauthorized, check)
  }, [services, end])
  useEffect(() => {
    readSession(services.api).then(
      (user) => setSession(user === undefined ? { phase: 'out' } : { phase: 'in', user }),
      (error: unknown) => setSession({ phase: 'failed', error }),
    )
  }, [services])

  return (
    <ServicesContext value={services}>
      <QueryClientProvider client={queries}>
        <TipProvider delayDuration={400}>
          <ToastProvider>
            <Router base={basePath}>
              <Pages
                session={session}
                onSignedIn={(user) => setSession({ phase: 'in', user })}
                onSignOut={() => {
                  // Signed out here whatever the server says: nothing of the session stays on screen.
                  void signOut(services.api).then((elsewhere) => {
                    if (elsewhere !== undefined) window.location.assign(elsewhere)
                  }, ignore)
                  end()
                }}
              />
            </Router>
          </ToastProvider>
        </TipProvider>
      </QueryClientProvider>
    </ServicesContext>
  )
}

function buildServices(onUnauthorized: () => void): ConsoleServices {
  const api = createConsoleApi({ fetch: (input, init) => fetch(input, init), sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)), onUnauthorized })
  const registry = new LiveRegistry({ clock: browserClock, budget: createStreamBudget(streamsOfThisPage) })
  return { api, client: createKubeClient(api), registry }
}

function Pages({
  session,
  onSignedIn,
  onSignOut,
}: {
  readonly session: Session
  readonly onSignedIn: (user: SignedIn) => void
  readonly onSignOut: () => void
}) {
  const [path] = useLocation()
  const search = useSearch()
  if (session.phase === 'reading') return undefined
  if (session.phase === 'failed') return <StartFailure error={session.error} />
  const here = path + (search === '' ? '' : `?${search}`)
  const isOut = session.phase === 'out'
  return (
    <Switch>
      <Route path="/login">
        {isOut ? <SignInPage onSignedIn={onSignedIn} /> : <Redirect to={safeReturn(new URLSearchParams(search).get('next'))} replace />}
      </Route>
      {session.phase === 'in' && (
        <Route path="/authorize">
          <AuthorizePage user={session.user} interaction={new URLSearchParams(search).get('interaction') ?? ''} />
        </Route>
      )}
      {session.phase === 'in' && (
        <Route path="/device">
          <DevicePage user={session.user} userCode={new URLSearchParams(search).get('user_code') ?? ''} />
        </Route>
      )}
      <Route>
        {isOut ? (
          <Redirect to={path === '/' ? '/login' : `/login?next=${encodeURIComponent(here)}`} replace />
        ) : (
          <SignedInConsole user={session.user} onSignOut={onSignOut} />
        )}
      </Route>
    </Switch>
  )
}

function SignedInConsole({ user, onSignOut }: { readonly user: SignedIn; readonly onSignOut: () => void }) {
  const seen = useFleet()
  // Who may not see the clusters works in those of their projects, and begins there.
  const isMember = seen.phase === 'error' && seen.members.length === 0
  const ofProjects = useProjectFleet(isMember)
  const fleet = isMember ? ofProjects : seen
  const value = useMemo(() => ({ features, fleet, user, signOut: onSignOut, namespaceType }), [fleet, user, onSignOut])
  return (
    <ConsoleContext value={value}>
      <ConsoleRoutes home={seen.phase === 'loading' ? undefined : isMember ? '/projects' : '/clusters'} />
    </ConsoleContext>
  )
}
