import {termsOf} from './src/local/words.ts'
import {hashEmbedding,cosine} from './src/local/embedding.ts'
console.log(termsOf("carries carried carrying running signed signs insurance insured insuring classes boxes business shipping shipped ships goods used using status this bus needed tied going being agreed passes pass called calls filling tables ties dogs's 你好世界 INV-2026-117 Österreichs Straße café €12,500.50 delivery deliveries").join(' '))
const e=(s:string)=>hashEmbedding(s,256)
const T=['The consignment travels from Rotterdam to Vienna by barge on the Danube.','The goods are insured for 48,000 euros against loss and damage.','Payment is due within thirty days of the invoice date.','Bananas are rich in potassium and grow in the tropics.']
for(const q of ['Who carries the shipment from Rotterdam to Vienna?','What is the insurance value of the goods?','When must the invoice be paid?','How do volcanoes erupt?'])console.log(q,T.map(t=>cosine(e(q),e(t)).toFixed(2)).join(' '))
const long=('The quick brown fox jumps over the lazy dog near '+'x'.repeat(10)+'. ').repeat(20); let t=performance.now(); for(let i=0;i<100;i++)hashEmbedding(long,256); console.log(long.length,(performance.now()-t)/100,'ms')
const big='word soup '.repeat(1e5).replace(/ /g,(m,o)=>o%7+' '); t=performance.now(); hashEmbedding(big,256); console.log(big.length, performance.now()-t)
console.log(e('   ').filter(x=>x).length,e('!').filter(x=>x).length)
