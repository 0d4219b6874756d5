import { createHash } from 'node:crypto'
import { passwordProblem } from '../api/index.ts'

/**
 * Of the 10,000 commonest passwords those that are long enough to be one here, as the first six characters of their SHA-256 in base64url: most are not fit to be read.
 * Chance has one in 200 million others refused as well.
 */
const common: ReadonlySet<string> = new Set(
  `
    --iKYT -GV7xl 08tD55 0R85YX 0f4LPJ 0nEpi9 0tjgVp 1_TTzO 1niMan 29zwG_ 2FSo2X 2GW2W9 2Kr8S4 2fuS47 2sluqh 2tCuKp 3ADJA4 3N8SUe 3_xQSq 3mJ4q5
    4yrDHo 5ABeLB 5RTIP_ 5vc_Gh 6hWWCh 6rwcOF 6wNLQd 75K3eL 7AQuUs 7Yub4g 7vE5Tu 8NE1Gu 8bILM2 8bPjYG 8fpdbC 8nXJNp 97zS1O 9OmUcw 9RU9Rn 9YfU1Y
    9d7IcL 9o4-za 9tvT11 9u6U7L A2XKwU A7L8RR AClSVw AI3VUM ATmsb6 AVAA9L Afccmi Amxvm_ AyzBH- BFur3N BGOY9a B_kXQA CRNkAl CUDQEt C_fLj2 CfunlD
    Cmcki5 DJbLS- DNVgoR DaC5Q_ DkNlCx E6phJ- EGKM_E Ec6Bia EpRPIj Eq1KPv FQ8Okd FWcXjW F_gHVG Fr7f2m G0Ahta G27ey4 GCIjbT Gv2olz HDEt1k HGmdBt
    Hu_3oH I7XtKa IUK4El IoWHf7 IvOrvO J-7Pl_ JAb0bl JHn4D2 KPARbv KUOlZ7 KyUL9a MAyy16 MZuuKP MaLVKC N-gBkf NUQFkO Nc4HbD NfkVZq Nq5wST NqoVqI
    OEvjR0 OV8pEH Ofg90x OkVz7u OldFoF Om4p58 PJ-iHV PPLPGi PcQ9u8 Pu8M0U Px08QB Q0b_kv Q5CHSC QKE7dI QPWYzH RET1pP RKIUtL RUGXuo RcTEkr Rd2tsm
    RqKBzT RrR19N Rx2UEB S481OI SBZsfB SYRTBC SloMU7 SrnzmO TL46zr TNdLjk U797Wj U9RTsM UB1ay0 UJheFj UeTmUA Ujqhjs VDOLVg VF8HAp VNwLVJ W4hMb7
    W6V6Mq WRLVWQ Wy5Mdm X1skrW XOX9Wj XVpwot X_7S4b Xk_467 XnN_iR XrtJ5J XxBZ_w Xzs7YU Y2QCZI YFR7tB YIX-4p YXA0wi YmXbDI Yn8fr0 YoYmBM Ytm1ay
    ZNcuXB ZVhP2w Zy6Fe_ _HZHvu _TqqO2 a0EeOh a1ZelR a2yw6g aTDdqN auIXFk bF8oWp bH3YC1 bV1F1X bXQT02 buqLBM cVTG7r d1ucIA d3Uk8M dDBWFr dcIJcL
    dlrZ9M drZPo2 eVhH72 eWVlKB ejGAuj f9BvDi fEpcJC fRKMTF fWNUbX fo1E6h g3A1SQ gKxpem gdBv6R ggwFdy gtJD6F h2BmO7 hOvBus hPUOiY hZMmRZ hi14iP
    i1VUUr iQekmb iTWxDw ibAKLt icxNlV ieAVNq j6Gf_g j8ApOW jG6W96 jOHNQ8 jTy7dU jltXt7 kVSyb0 klsTp- kmD4ia kwsMbB lSNPAn lbOvMJ lnUgri m5esXn
    m8bR1j m9mqDf mpAEA6 mxvYGk nh80Hf nsXb74 nt10Ev o2DvFt ocel7K pGejE- pJsdG1 pliB0o poNJVh qEdnNb qP7cxZ qR8Mwk qWoZxE qdTQef qj0v5P qlk0P5
    qoAvZU rHvfsp rJKEZq rPRUiJ r_ffvk rl3rhl s9F-u- sFya1J sM12t9 sQj9-M so5OkX tcxe2f uEbpy3 ud2iZN ukZ2gv v6Eguf vO3PJP vmyQb3 w3_aRy wENKfV
    wKGu7b wZEi8p wco7fa wjFw3Y x3Xnt1 x4Guzh x5jO76 xPZ0LJ xSW_ub xXRa8v y14PrH y4stx3 yDS-xU yMOLnI ybjgZ2 ybqtDB yhn5Sw ys_VJE z4w-P3 z_mGwl
    zmQoco zuKyWz zwuFT1
  `
    .trim()
    .split(/\s+/),
)

const fewestDifferent = 5
// A shorter name is in many words.
const shortestName = 3

/** Why somebody's new password cannot be one, and what mends it; undefined when it can. */
export function newPasswordProblem(password: string, { user, shortest }: { readonly user: string; readonly shortest: number }): string | undefined {
  const problem = passwordProblem(password, shortest)
  if (problem !== undefined) return problem
  const plain = password.toLowerCase()
  const another = 'choose another one, three or four words for example'
  if (common.has(createHash('sha256').update(plain).digest('base64url').slice(0, 6))) return `the password is one of those that are tried first: ${another}`
  if (new Set(plain).size < fewestDifferent) return `the password has fewer than ${fewestDifferent} different characters: ${another}`
  if (user.length >= shortestName && plain.replaceAll(user.toLowerCase(), '').length < shortest)
    return `the password is little more than the user name: ${another}`
  return undefined
}
