import {sentencesOf,paragraphsOf} from './src/local/sentences.ts'
import {bestSentences} from './src/local/summary.ts'
import {rankByRelevance,extractAnswer} from './src/local/answer.ts'
import {hashEmbedding,cosine} from './src/local/embedding.ts'
const text=`# Waybill 2026-117

This waybill travels with twelve crates of optical lenses. The consignor is Maas Optics B.V. of Rotterdam, and the consignee
is Donau Glas GmbH in Vienna. Mr. Smit signs for the consignor.

## Insurance

The goods are insured for 48,000 euros against loss and damage. The insurer is Noord Marine. Claims must be made within
seven days of delivery!

- Keep dry. Do not stack.
- Temperature between 5 and 25 degrees.

| crate | weight |
| 1 | 20 kg |
`
console.log(sentencesOf(text)); console.log(bestSentences(text,3))
const ps=paragraphsOf(text)
for (const q of ['What are the goods insured for?','How much is the insurance value of the goods?','Who is the consignee?','When must claims be made?','How do volcanoes erupt?','What is the capital of France?','Who signed for the consignor?','what is the weight of crate 1?','Where is the shipment of bananas?','what']){
 const r=rankByRelevance(q,ps,p=>p,p=>cosine(hashEmbedding(p,256),hashEmbedding(q,256)))
 console.log(q,'->',r[0]&&[r[0].score.toFixed(2),extractAnswer(q,r[0].item)])
}
const big=text.repeat(1000); let t=performance.now(); sentencesOf(big); console.log(big.length,performance.now()-t); t=performance.now(); bestSentences(big,3); console.log(performance.now()-t)
const one='word '.repeat(200000); t=performance.now(); console.log(sentencesOf(one).length,performance.now()-t)
const abb='A. '.repeat(100000); t=performance.now(); console.log(sentencesOf(abb).length,performance.now()-t)
const nl='\n \n'.repeat(100000)+'   '.repeat(100000); t=performance.now(); console.log(paragraphsOf(nl).length,performance.now()-t)
const ed='a'.repeat(200000)+'ed'; t=performance.now(); rankByRelevance(ed,[ed],x=>x,()=>1); console.log(performance.now()-t)
const ys='y'.repeat(200000); t=performance.now(); rankByRelevance(ys+'q',[ys],x=>x,()=>1); console.log(performance.now()-t)
