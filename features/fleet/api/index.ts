export { clusterLabel, clustersAnnotation, memberVersionAnnotation, qualifiedName, splitName } from './names.ts'
export { parseSearch, searchExamples, searchKeys } from './search-query.ts'
export type { SearchKey, SearchQuery, SearchTerm } from './search-query.ts'
export type { ClusterState, SearchAnswer, SearchItem } from './search-api.ts'
