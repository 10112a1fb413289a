/** The words that rows.ts makes people, titles and loglines of. */
import type { Genre } from '../src/db/schema.ts'

export const firstNames =
  `Adaeze Aiko Alejandra Amara Anders Anika Ansel Ayesha Beatriz Benedikt Bronwyn Caleb Camille Chidi Clara Cormac Dalia
  Darius Delphine Dmitri Eamon Elena Elif Emeka Esther Fatima Felix Freya Gabriel Giulia Hana Hassan Helena Hugo Ingrid
  Isaac Ivana Jamal Joana Jonas Kaito Kamala Karim Katya Kofi Lars Leila Lena Lucia Mads Maeve Malik Marguerite Mateo Mei
  Mikael Mira Nadia Naomi Nikhil Noor Olivia Omar Oskar Paloma Pavel Priya Rafael Ravi Rosa Ruth Samira Sanjay Sinead Sofia
  Soren Tadeusz Tamsin Tariq Thandiwe Theo Uma Valentina Vikram Wanjiru Wei Xavier Yara Yusuf Zainab Zoe`.split(
    /\s+/,
  )

export const lastNames =
  `Abara Achterberg Adeyemi Almeida Andrade Arslan Bakker Banerjee Barros Becker Bergstrom Boateng Brennan Castellanos Chaudhry
  Chen Conti Costa Dahl Delacroix Desai Diallo Dvorak Eriksen Farouk Ferreira Fischer Flanagan Fontaine Gallagher Ganguly
  Haddad Hakimi Halvorsen Haruna Hernandez Horvat Ibarra Ishikawa Iyer Jansen Kaminski Kapoor Karlsson Keita Khoury Kimani
  Kowalczyk Laurent Leclerc Lindqvist Lombardi Macdonald Mahlangu Marchetti Mbeki Mendes Moreau Mwangi Nakamura Ndiaye Novak
  Nwosu Oconnell Okafor Okonkwo Olsen Osei Pacheco Park Petrov Quintero Rahman Reyes Rinaldi Rossi Sandoval Schreiber Sharma
  Silva Sorensen Szabo Takahashi Tanaka Teixeira Torres Tran Vasquez Volkov Wagner Walsh Yamamoto Yildiz Zhang Zielinski`.split(
    /\s+/,
  )

/** A company is one of these and a kind. */
export const companyNames =
  `Blue Heron|Tin Roof|Second Unit|Night Ferry|Paper Lantern|Long Shadow|Copper Kettle|Seventh Row|Open Aperture|Low Tide|
  Ninth Floor|Salt Road|Golden Hour|Magpie|Lighthouse Lane|Rough Cut|Wild Rye|Northern Lamp|Slow Burn|Kite & Anchor|
  Half Light|Stone Orchard|Red Clay|Field Notes|Far Harbour|Quiet Lane|Winter Garden|Third Rail|Silver Birch|Small Hours`
    .split('|')
    .map(name => name.trim())
export const productionKinds = ['Pictures', 'Films', 'Productions', 'Studios', 'Media', 'Entertainment']
export const fundKinds = ['Capital', 'Ventures', 'Film Fund', 'Partners', 'Slate Finance', 'Media Fund']

export const places =
  `Valparaíso|Trieste|Lagos|Saint John's|Nagasaki|Galway|Tbilisi|Marfa|Tromsø|Port Harcourt|Aberdeen|Baku|Kochi|Łódź|Accra|
  Duluth|Busan|Porto|Gdańsk|Oaxaca|Montevideo|Leith|Beirut|Halifax|Palermo|Ulaanbaatar|Mombasa|Tangier|Spokane|Nuuk`
    .split('|')
    .map(name => name.trim())

/** `In ${setting}, …` */
export const settings = [
  'a harbour town that the railway forgot',
  '1950s Trieste',
  'the last year of the lira',
  'a mountain village cut off by snow',
  'the suburbs of Lagos',
  'a border town with two mayors',
  'occupied Warsaw',
  'a drought-stricken valley',
  'the night shift of a county hospital',
  'the off-season of a seaside resort',
  'post-war Glasgow',
  'a company town in its final summer',
  'the first days of a general strike',
  'a lighthouse at the edge of the shipping lanes',
]

interface Voice {
  /** Words of titles: "The Last ${thing}", "${thing} of Porto". */
  things: string[]
  who: string[]
  /** A clause: `When ${when}, …` */
  when: string[]
  /** `… must ${must} …` */
  must: string[]
  /** How it can go wrong, as the sentence's end. */
  stake: string[]
  tags: string[]
  comparable: string[]
}

export const voices: Record<Genre, Voice> = {
  Comedy: {
    things: [
      'Understudy',
      'Potluck',
      'Best Man',
      'Open House',
      'Karaoke Night',
      'Warranty',
      'Substitute',
      'Casserole',
    ],
    who: [
      'an out-of-work children’s magician',
      'a divorce lawyer who still believes in love',
      'the least popular deputy mayor in the county',
      'two feuding bakers',
      'a wedding band on its farewell tour',
      'an overqualified lollipop man',
    ],
    when: [
      'a clerical error puts a goat on the city council',
      'both families book the same village hall',
      'a typing mistake doubles the guest list',
      'the only funeral director in town goes on strike',
      'a lottery ticket is left to all nine cousins',
      'a fake recipe wins a very real prize',
    ],
    must: [
      'pass for an expert on live radio',
      'keep two parties from ever meeting',
      'learn to dance in a weekend',
      'win back the office they never wanted',
      'host the in-laws, the ex and the inspector at one table',
      'return the goat before anyone counts it',
    ],
    stake: [
      'before the cameras arrive on Sunday',
      'or admit that the rival was right all along',
      'while pretending that none of it is happening',
      'with nothing but a borrowed van and a broken karaoke machine',
      'before the bride reads the programme',
    ],
    tags: ['ensemble', 'farce', 'feel-good', 'workplace', 'family gathering'],
    comparable: ['The Full Monty', 'Four Weddings and a Funeral', 'What We Do in the Shadows'],
  },
  Crime: {
    things: [
      'Ledger',
      'Alibi',
      'Pawnbroker',
      'Wire',
      'Informant',
      'Safe House',
      'Night Bank',
      'Third Witness',
    ],
    who: [
      'a forensic accountant with a gambling debt',
      'a retired safe-cracker turned locksmith',
      'the youngest detective in a dying precinct',
      'a getaway driver who has lost her nerve',
      'a court stenographer who hears too much',
      'a harbour policeman on his last posting',
    ],
    when: [
      'the evidence room burns down the night before trial',
      'a body turns up wearing a missing judge’s watch',
      'a partner’s name appears in the wrong ledger',
      'an honest mistake clears the wrong man',
      'three banks are robbed by the same handwriting',
      'a witness recants and vanishes within the hour',
    ],
    must: [
      'follow the money back to the people who hired them',
      'pull one more job for the prosecutor',
      'find the leak without trusting the squad',
      'turn a brother in or take the blame',
      'keep a liar alive until Monday',
      'forge the one document that would tell the truth',
    ],
    stake: [
      'before the case is closed for good',
      'while both sides offer a deal',
      'or watch a friend go down for it',
      'in a city where every door has been paid for',
      'with a single honest officer left to ask',
    ],
    tags: ['heist', 'noir', 'procedural', 'corruption', 'antihero'],
    comparable: ['Heat', 'The Wire', 'A Prophet'],
  },
  Documentary: {
    things: [
      'Ferry Pilots',
      'Seed Keepers',
      'Archive',
      'Cannery',
      'Record Pressers',
      'Census',
      'Bell Founders',
      'Map Room',
    ],
    who: [
      'three ferry pilots and the engineer who trained them',
      'a choir of retired steelworkers',
      'the keeper of an unmarked archive',
      'a village of beekeepers',
      'the last typesetters of a daily paper',
      'a women’s weightlifting club',
    ],
    when: [
      'the last cannery on the coast closes',
      'a reservoir is drained for the first time in sixty years',
      'the state opens its files for eleven days',
      'a fungus reaches the valley’s oldest trees',
      'the licence for the night train is not renewed',
      'a developer buys the other side of the street',
    ],
    must: [
      'decide who stays',
      'record what nobody wrote down',
      'teach a trade to people who may never practise it',
      'find the families behind forty-one photographs',
      'agree on what to save',
      'learn to fish a colder sea',
    ],
    stake: [
      'as the town votes on its own name',
      'over ten years of filming',
      'before the building is handed over',
      'while the cameras that ignored them come back',
      'in their own words and without narration',
    ],
    tags: ['observational', 'archive footage', 'environment', 'labour', 'community'],
    comparable: ['Honeyland', 'Harlan County, USA', 'The Gleaners and I'],
  },
  Drama: {
    things: [
      'Inheritance',
      'Orchard',
      'Visiting Hours',
      'Low Tide',
      'Piano Tuner',
      'Second Kitchen',
      'Homecoming',
      'Quiet Year',
    ],
    who: [
      'a night nurse raising her sister’s son',
      'a piano tuner who is going deaf',
      'an estranged father and daughter',
      'a widowed farmer with one good season left',
      'a teacher in a school marked for closure',
      'two brothers who have not spoken since the strike',
    ],
    when: [
      'a mother’s will names a stranger',
      'the factory that fed three generations shuts its gates',
      'a letter arrives twenty years late',
      'the house is sold with the family still in it',
      'a diagnosis is kept secret one summer too long',
      'a foster child asks to go home',
    ],
    must: [
      'choose between the farm and the truth',
      'learn to forgive someone who never asked',
      'run the restaurant that broke the family',
      'say goodbye in a language only one of them speaks',
      'tell the children before someone else does',
      'share one roof until the harvest is in',
    ],
    stake: [
      'before the winter closes the road',
      'while there is still somebody left to hear it',
      'or lose what the silence was protecting',
      'as the town takes sides',
      'in the time that is left',
    ],
    tags: ['family saga', 'character study', 'grief', 'coming of age', 'working class'],
    comparable: ['Manchester by the Sea', 'Shoplifters', 'Aftersun'],
  },
  Fantasy: {
    things: [
      'Salt Crown',
      'Toll Bridge',
      'Lantern Court',
      'Winter King',
      'Bone Orchard',
      'Tide Witch',
      'Seventh Gate',
      'Mapmaker',
    ],
    who: [
      'a toll keeper on a bridge between worlds',
      'the apprentice of a mapmaker who draws what will be',
      'a princess raised by the river',
      'an exiled knight with a borrowed shadow',
      'the last speaker of the language of birds',
      'a thief who can steal only names',
    ],
    when: [
      'the winter king asks for his toll in children',
      'the tide goes out and does not return',
      'a door opens in the oldest tree of the orchard',
      'a dragon’s debt falls due after three hundred years',
      'the moon is sold at auction',
      'every clock in the kingdom begins to run backwards',
    ],
    must: [
      'cross the bone orchard without casting a light',
      'bargain with the sea for a single day',
      'crown an enemy to save a village',
      'unlearn the only spell that works',
      'carry a sleeping god over the mountains',
      'find the name that was taken',
    ],
    stake: [
      'before the seventh gate closes',
      'or rule a land where nobody dreams',
      'while an army waits for the thaw',
      'at the price of being forgotten',
      'with a map that changes every dawn',
    ],
    tags: ['quest', 'folklore', 'magic', 'world-building', 'epic'],
    comparable: ['Pan’s Labyrinth', 'Princess Mononoke', 'Stardust'],
  },
  Historical: {
    things: [
      'Telegraph',
      'Armistice',
      'Cartographer',
      'Treaty',
      'Saltworks',
      'Winter Palace',
      'Printing House',
      'Regiment',
    ],
    who: [
      'a telegraph operator of the wrong faith',
      'an interpreter at the armistice table',
      'a printer of forbidden almanacs',
      'the first woman at the observatory',
      'a shipwright in debt to the crown',
      'a battlefield surgeon without a country',
    ],
    when: [
      'a treaty is signed with the wrong map',
      'the old queen dies on the eve of the census',
      'a plague ship is sighted off the saltworks',
      'the regiment is ordered to fire on its own town',
      'a forged letter starts a real war',
      'the printing house is given until dawn',
    ],
    must: [
      'carry a message across three front lines',
      'translate a lie that could end the siege',
      'hide a library in plain sight',
      'testify against the man who taught them',
      'finish the chart before the fleet sails',
      'keep the presses running',
    ],
    stake: [
      'before the news reaches the capital',
      'while both armies call it treason',
      'or let the peace be written by its enemies',
      'under a name that is not theirs',
      'as the ice begins to break',
    ],
    tags: ['period', 'true story', 'war', 'court intrigue', 'biopic'],
    comparable: ['Master and Commander', 'The Lives of Others', 'Wolf Hall'],
  },
  Horror: {
    things: [
      'Cellar',
      'Nursery',
      'Congregation',
      'Wet House',
      'Thirteenth Floor',
      'Lullaby',
      'Hollow',
      'Drowned Bell',
    ],
    who: [
      'a sleep researcher who no longer sleeps',
      'the caretaker of a drowned village',
      'a young couple with a house they could not afford',
      'a hospice nurse on her first night alone',
      'four students in a decommissioned abbey',
      'a sound engineer who hears an extra voice',
    ],
    when: [
      'the bell of a flooded church begins to ring',
      'the baby monitor answers back',
      'a sealed ward is opened for renovation',
      'the congregation starts to pray to the cellar',
      'every photograph gains the same guest',
      'the snow shows footprints that only lead in',
    ],
    must: [
      'stay awake for five nights',
      'keep the cellar door shut until the thaw',
      'learn the lullaby that the house keeps humming',
      'bury what the neighbours dug up',
      'trust a voice that knows too much',
      'finish the recording without listening to it',
    ],
    stake: [
      'before it learns their names',
      'while something in the walls keeps count',
      'or take its place',
      'as the water rises floor by floor',
      'with only one of them still casting a reflection',
    ],
    tags: ['haunted house', 'folk horror', 'slow burn', 'psychological', 'found footage'],
    comparable: ['The Babadook', 'Hereditary', 'The Wailing'],
  },
  Romance: {
    things: [
      'Letters',
      'Night Train',
      'Dance Card',
      'Second Spring',
      'Translator',
      'Harbour Café',
      'Understory',
      'Postcard',
    ],
    who: [
      'a translator of love letters',
      'two rival florists',
      'a widowed dance teacher',
      'an astronomer who only works nights',
      'a ship’s cook and a customs officer',
      'childhood friends on opposite sides of a wedding',
    ],
    when: [
      'a snowstorm stops the night train between stations',
      'a dead letter office returns forty years of mail',
      'a marriage of convenience becomes inconvenient',
      'the same flat is let twice',
      'an old flame buys the harbour café',
      'a wrong number rings every Thursday',
    ],
    must: [
      'spend one day in a city neither can afford',
      'rewrite the letter that parted them',
      'pretend to be married until Easter',
      'choose between a visa and a promise',
      'dance in public for the first time in years',
      'say it in the other’s language',
    ],
    stake: [
      'before the last ferry leaves',
      'while everyone but them can see it',
      'or let the moment pass a second time',
      'with a whole village listening in',
      'one postcard at a time',
    ],
    tags: ['slow love', 'second chances', 'romantic comedy', 'travel', 'period romance'],
    comparable: ['Before Sunrise', 'Past Lives', 'In the Mood for Love'],
  },
  'Science Fiction': {
    things: [
      'Relay',
      'Quiet Planet',
      'Long Orbit',
      'Memory Bank',
      'Second Sun',
      'Signal',
      'Colony',
      'Cold Equation',
    ],
    who: [
      'a maintenance crew on a dying relay station',
      'a memory broker who has sold her own',
      'the first child born in transit',
      'a linguist hired to lie to machines',
      'a climate engineer in hiding',
      'the last human pilot of an automated fleet',
    ],
    when: [
      'a distress call arrives in their own voices',
      'the colony’s second sun fails to rise',
      'an artificial mind asks for a day off',
      'the archive of Earth is found to be edited',
      'a ship returns a century before it left',
      'gravity becomes a subscription',
    ],
    must: [
      'wake one passenger and no other',
      'teach grief to the system that keeps them alive',
      'cross nine light-minutes without an engine',
      'decide which memory the colony can lose',
      'answer the signal before the company does',
      'prove to be the original',
    ],
    stake: [
      'before the orbit decays',
      'while the ship votes on who is expendable',
      'or be overwritten by morning',
      'with eleven hours of air',
      'as the message starts to repeat',
    ],
    tags: ['space', 'artificial intelligence', 'dystopia', 'time', 'first contact'],
    comparable: ['Arrival', 'Moon', 'The Expanse'],
  },
  Thriller: {
    things: [
      'Dead Drop',
      'Blackout',
      'Passenger List',
      'Cold Channel',
      'Exit Visa',
      'Double',
      'Curfew',
      'Broadcast',
    ],
    who: [
      'a disgraced air-crash investigator',
      'an emergency dispatcher on a double shift',
      'a chess prodigy in a witness programme',
      'a cartographer who found a road that is not there',
      'a hostage negotiator with a stammer',
      'a border guard who let one car through',
    ],
    when: [
      'a passenger list names the living',
      'the whole coast loses power at the same second',
      'a child is returned who was never reported missing',
      'a live broadcast shows tomorrow’s crime',
      'the embassy denies that he was ever hired',
      'a black box plays back a conversation with them in it',
    ],
    must: [
      'cross the city during curfew',
      'keep a caller talking until dawn',
      'find the double before the summit',
      'break into the archive they helped to build',
      'make a silent witness speak',
      'get one family over the border',
    ],
    stake: [
      'before the next plane takes off',
      'while the only ally is the prime suspect',
      'or be the name that takes the fall',
      'with every phone in the building listening',
      'in ninety minutes of real time',
    ],
    tags: ['conspiracy', 'espionage', 'real time', 'cat and mouse', 'political'],
    comparable: ['Sicario', 'Tell No One', 'The Lives of Others'],
  },
}

export const referrers = [
  'https://www.google.com/',
  'https://duckduckgo.com/',
  'https://www.linkedin.com/feed/',
  'https://news.example.com/film-finance/',
  'https://festival.example.org/market/line-up',
  'https://mail.example.com/',
]

export const interestNotes = [
  'Strong voice. Would like to see a budget top sheet.',
  'Open to co-finance with a territory attached.',
  'Interested subject to a director being attached.',
  'Send the deck and a lookbook, please.',
  'Fits our slate for next year; can we talk about recoupment?',
  'Like the logline, unsure about the format.',
]

export const ndaMessages = [
  'We would like to read the full treatment for our slate meeting.',
  'Our legal team has approved your standard NDA.',
  'Reading on behalf of an equity partner.',
  'We met at the market; happy to sign today.',
]

export const terms = [
  'Equity, pro rata, 120 % recoupment before profit split',
  'Equity, first position after senior debt',
  'Convertible note, 20 % discount at greenlight',
  'Gap finance against unsold territories',
]
