/**
 * The words that codes are made of: 1024 short English nouns and the like, so
 * that a word is worth ten bits.
 *
 * The list is our own. No two words begin with the same four letters, so that
 * the first four are enough when they are typed; and of any two, one does not
 * become the other by one letter that is wrong, missing, added or swapped with
 * its neighbour. `words_test.ts` holds it to that.
 *
 * @module
 */

/** All words, in order. */
export const WORDS: readonly string[] = Object.freeze(
  `
absent accent acid acorn action actor adobe adult advice aerial affair agent
airport alarm album alien alley almond alpine altar amber analog anchor
angel animal ankle answer anthem apple april apron arbor arctic arena aroma
arrow artist ash aspen atlas atom attic audio august aurora author autumn
avenue avocado award axis bacon badge bagel baker balcony ballet bamboo
banana bandit banjo banner barber bark barley barrel basil basket bathtub
battery bazaar beach beard beaver bedrock beetle begin belfry bell berry
bicycle bingo birch biscuit bishop bison blanket blaze blossom blouse blue
boat bobcat boiler bonfire bonnet book botany bottle boulder bounce bouquet
boxer brain brass bread breeze brick bronze broom brother bubble bucket
budget buffalo bugle bulb bumper bunker burger burrow butcher butler button
buzzard cabbage cabin cable cactus cafe calcium calm camel campus canal
candle cannon canoe canvas captain caramel carbon cargo carpet carrot
cartoon cashew castle catalog cavern cedar celery cello cement cereal chain
chalk chamber channel chapel charm cheese cherry chess chicken chief chili
chimney chisel choir chorus cicada cider cinema circus citizen citrus city
classic clay clerk cliff climate cloak cloud clover clown club coach coast
cobalt cobra cocoa coffee coin collar colony comet comic compass concert
condor convoy copper coral corner cosmos cotton cougar council coupon cousin
cowboy coyote crab cradle crater crayon cream creek crew cricket crimson
crocus cruise crumb crystal cube cuckoo curfew curry curtain cushion custard
cyclone cymbal cypress dagger dahlia dairy dancer dawn dazzle deacon decade
decoy deer degree delta deluxe denim dentist depot desert design desk detail
detour dialog diamond diesel digit dinghy dinner diploma disco dish diver
doctor dolphin domain domino donkey donut door double dove dragon drama
drawer dresser drift drizzle drum duck dune dust dynamo eagle early earth
easel echo eclipse editor effort eight elbow elder elegant element eleven
elf emblem emerald empire enamel energy engine enigma envoy epoch equal
errand escort essay estate eternal exam exotic expert fabric falcon family
famous fancy farmer father faucet fence fern ferret fiber fiddle field
figure film final finger fire fisher fjord flag flame flask flavor fleet
flint flood flower fluid flute foam focus folder folk foot forest forty
fossil friday friend frog frost fruit funnel future gadget galaxy gallon
game garage garden garlic garnet gauge gazebo gecko genius geyser ghost
giant glass glider globe goblet gold goose gopher grape gravel green grill
grocer grotto group grove guard guava guest guide guitar gulf habit hail
half hamlet hammer hand hangar happy harp hawk hazel head heart heaven hedge
helium helmet herald herb hermit heron hill hippo hobby hockey hollow honey
hood hornet horse hotel humble humid humor hunter hurdle husky hyena hyphen
icicle idea igloo iguana image impala income index indigo infant inlet
insect iodine iris iron island ivory jacket jade jaguar jaunt jazz jelly
jersey jester jewel jigsaw joke judge juggle juice july jumbo junior kale
karate kayak kebab kelp kennel kettle kilt king kiosk kite kitten kiwi knee
knight knot koala label ladder ladle lady lagoon lake lamb laptop larch
laser lasso lava lawyer leader leaf ledger legend lemon lemur lens lentil
lesson letter level lichen lilac lily limit linen lion liquid lizard llama
local locust lodge lotus lounge lucky lumber lunar lunch luxury lynx lyric
magnet magpie maiden major mambo mammal mango mantle maple marble margin
marina market marmot maroon marsh mascot mason master matrix meadow medal
medley mellow melon member memory menu merlin meteor metro milk miller
minnow mint minute mirror mobile mocha modem mohair monday month moon morsel
mosaic moss mother motor motto mouse movie muffin mule museum music muslin
myth nachos napkin nation nature navy nebula nectar needle nephew nest
nickel nine noble nomad noodle north nose nougat novel nuance nugget nurse
nutmeg nylon oasis oats object oboe ocean office olive omelet onion onyx
opal open opera optic orator orbit orchid order organ orient oriole osprey
otter outfit outlaw owner oxygen oyster ozone paddle page paint palace panda
panel papaya paper parade parcel pardon parent party pasta path patio patrol
peanut pearl pebble pecan pencil penny people pepper perch period petal
phone photo piano pickle picnic pigeon pillow pilot pirate piston pixel
pizza plank plate plaza plum pocket poem polar police polka pollen pond
poppy portal possum potato powder prince prism prize profit proton proud
public pulley pulp pulse puma pupil puppet purple puzzle python quail quarry
quasar queen quick quiet quill quince quiver quiz quota rabbit radar radio
raft raisin ramp ranch range rapid raven ravine razor rebel recipe record
reef refuge region relay relic remedy rescue resin result retina reward
rhino rhythm ribbon rice ridge ripple road robin robot rodeo roof rookie
royal rubber ruby rudder ruler rumba runway russet rustic sack safari safety
saga salad salmon salsa salute sample sandal satin saturn sauce scale scarf
school scout screen script seal season second secret seed sense sequel
sesame seven shadow shark shelf shield ship shirt shore shovel shrimp shrub
siesta signal silver siren sister skate sketch skull slalom sleeve sloth
smile smoke smooth snail snake snow soap soccer social sodium sofa solo song
sorbet south spade spear sphere spice spider spiral splash sponge spoon
spring sprout spruce spur squad stable staff stage stair stamp statue steam
steel stereo stew sting stone stool stork straw street stucco studio suburb
sugar suit sulfur sultan summer sunday sunset superb surf survey sushi swan
swift switch symbol syntax syrup system tabby tactic tailor talent target
tariff tart taxi teapot tempo tennis tent theory thesis thorn thread thumb
tiara ticket tide tiger timber timid tinsel tissue titan tomato tongue topaz
topic torch total toucan tower town trade trail tram tree tribe trio trophy
trout truck tuba tulip tundra turkey turnip turtle tuxedo twelve twig typist
ultra uncle under unique uphill upper urban urchin useful usher utopia
vacuum vanish vapor vase vault vector velvet vendor venus verse vertex
vessel video vinyl viola viper virtue visor vista vivid volume voyage waffle
wagon walnut walrus waltz wander wasp water wave whale wharf wheat wheel
white widget widow wigwam winter wisdom wolf wombat wool worker world wreath
wren wrist writer yacht yard yeast yodel yoga yogurt young zebra zenith
zephyr zero zigzag zinc zipper zodiac
`.trim().split(/\s+/),
);

/** The word that `text` is, or of which it is the first four letters or more; else `undefined`. */
export function wordFor(text: string): string | undefined {
  if (IS_WORD.has(text)) return text;
  const all = text.length < 4 ? [] : wordsWith(text);
  return all.length === 1 ? all[0] : undefined;
}

/** The words that begin with `text`. */
export function wordsWith(text: string): readonly string[] {
  return WORDS.filter((word) => word.startsWith(text));
}

/** The words that `text` may have been meant to be: one letter is wrong, missing, too many or swapped. */
export function wordsNear(text: string): readonly string[] {
  if (IS_WORD.has(text)) return [];
  return WORDS.filter((word) => isNear(text, word));
}

/** True when one slip of the finger makes one of the other. */
export function isNear(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at++;
  const rest = (text: string, skip: number): string => text.slice(at + skip);
  if (long.length > short.length) return rest(short, 0) === rest(long, 1);
  if (rest(short, 1) === rest(long, 1)) return true;
  const isSwapped = short[at] === long[at + 1] && short[at + 1] === long[at];
  return isSwapped && rest(short, 2) === rest(long, 2);
}

const IS_WORD: ReadonlySet<string> = new Set(WORDS);
