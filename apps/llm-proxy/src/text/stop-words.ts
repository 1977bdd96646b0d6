/**
 * Words that say nothing about a text's subject, in English, German, French and Spanish. A word that means something in
 * another of the four (`war`, `son`, `die`) is left out: to count one word too many costs less than to lose one.
 */
const ENGLISH = `a about after again all also am an and any are aren as at be because been before being between both but by can
  could couldn did didn do does doesn doing don done down each else ever few for from further get give given had has hasn have
  having he her here hers him his how however i if in into is isn it its itself just ll me might more most must my no nor not
  now of off on once one only or other our ours out over own please re s same shall she should so some such t tell than that
  the their theirs them then there these they this those through to too under until up upon us ve very was wasn we were weren
  what when where whether which while who whom whose why will with within without won would you your yours many much say says
  said show explain describe know let time thing things way`

const GERMAN = `aber als am auf aus bei bin bis das dass dem den denn der des du durch ein eine einem einen einer eines er es für
  haben hat hatte ich ihr im ist ja kann kein keine mich mir mit nach nicht noch nur oder ob sein sich sie sind so über um und
  uns von vor wann warum welche welcher welches wem wen wenn wer werden wie wieviel wird wo wohin wurde zu zum zur`

const FRENCH = `au aux avec ce ces cette dans de des du elle en est et il ils je la le les leur lui mais ne nous ou où par pas plus
  qu quand que quel quelle quelles quels qui quoi sa se ses sont sur un une vous`

const SPANISH = `al como con cual cuales cuando cuanto cuál cuándo cuánto cómo de del donde dónde el ella ellos en entre es esta
  este esto ha hay la las lo los más para pero por porque que quien quién qué se ser si sobre su sus también un una uno y`

/** Returns the set of them; the caller keeps it. */
export function readStopWords(): ReadonlySet<string> {
  return new Set([ENGLISH, GERMAN, FRENCH, SPANISH].flatMap((words) => words.split(/\s+/)))
}
