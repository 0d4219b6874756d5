import {
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  hasStringFormat,
  labelKeyProblems,
  labelValueProblems,
} from '@gantry/apimachinery'
import type { Library } from '../overloads.ts'
import { Optional } from '../values.ts'
import type { HostValue } from '../values.ts'
import { requestUriProblem } from './urls.ts'

const typeName = 'kubernetes.NamedFormat'

/** A named format of texts. `patternSize` stands for the cost of the pattern behind it. */
class NamedFormat implements HostValue {
  readonly hostType = typeName
  readonly name: string
  readonly patternSize: number
  readonly problems: (text: string) => readonly string[]

  constructor(name: string, patternSize: number, problems: (text: string) => readonly string[]) {
    this.name = name
    this.patternSize = patternSize
    this.problems = problems
  }

  equals(other: HostValue): boolean {
    return other instanceof NamedFormat && other.name === this.name
  }
}

const has = (format: string, problem: string) => (text: string) => (hasStringFormat(format, text) ? [] : [problem])

const formats: ReadonlyMap<string, NamedFormat> = new Map([
  ['dns1123Label', new NamedFormat('DNS1123Label', 30, (text) => dns1123LabelProblems(text))],
  ['dns1123Subdomain', new NamedFormat('DNS1123Subdomain', 60, (text) => dns1123SubdomainProblems(text))],
  ['dns1035Label', new NamedFormat('DNS1035Label', 30, (text) => dns1035LabelProblems(text))],
  ['qualifiedName', new NamedFormat('QualifiedName', 60, (text) => labelKeyProblems(text))],
  ['dns1123LabelPrefix', new NamedFormat('DNS1123LabelPrefix', 30, (text) => dns1123LabelProblems(text, true))],
  ['dns1123SubdomainPrefix', new NamedFormat('DNS1123SubdomainPrefix', 60, (text) => dns1123SubdomainProblems(text, true))],
  ['dns1035LabelPrefix', new NamedFormat('DNS1035LabelPrefix', 30, (text) => dns1035LabelProblems(text, true))],
  ['labelValue', new NamedFormat('LabelValue', 40, (text) => labelValueProblems(text))],
  [
    'uri',
    new NamedFormat('URI', 1000, (text) => {
      const problem = requestUriProblem(text)
      return problem === undefined ? [] : [problem]
    }),
  ],
  ['uuid', new NamedFormat('uuid', 79, has('uuid', 'does not match the UUID format'))],
  ['byte', new NamedFormat('byte', 84, has('byte', 'invalid base64'))],
  ['date', new NamedFormat('date', 103, has('date', 'invalid date'))],
  ['datetime', new NamedFormat('datetime', 103, has('date-time', 'invalid datetime'))],
])

export function addFormats(library: Library): void {
  for (const [name, format] of formats) library.add(`format.${name}`, `format.${name}`, `() -> ${typeName}`, () => format)
  library
    .add('format.named', 'format-named', `(string) -> optional_type(${typeName})`, (name: string) => {
      const format = formats.get(name)
      return format === undefined ? Optional.none : new Optional(format)
    })
    .add('validate', 'format-validate', `${typeName}.(string) -> optional_type(list(string))`, (format: NamedFormat, text: string) => {
      const problems = format.problems(text)
      return problems.length === 0 ? Optional.none : new Optional([...problems])
    })
}
