"""Lists of words that the rules go by."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHORTENED = _words("""
    acct addr agg alt amt approx apr attr aug auth avg bene calc cat cust dec def del desc dest dev diff dim dir dob
    doc dod elig enc eng est exp ext fac feb fiscalyr freq gen hist idx inc ind info init ins int inv jan jul jun
    lang lat len loc lon lvl mar max med mgr min misc mod mon msg neg num obs occ oct orec org orig param pat perc
    phys pos pred pref pres prev prim proc prod prop prov ptotst qty rec ref reg rel rep req res rev rx sec sep seq
    spec src std sub sup sys temp tot tran trans txn typ uid upd usd util val var ver vol wt yr
""")
"""Shortened words: expanding them would be a guess, and in a sentence they read as typing errors."""

CLAUSE_STARTS = _words("is has was had can did does are were should will count num contains includes")
"""First words of names that aren't noun phrases."""

CLAUSE_ENDS = _words("""
    at on by to from for in with of and or as than until since flag
    surgical medical eligible available valid invalid""")
"""Last words of names that aren't noun phrases."""

HEAD_NOUNS = _words("amount count date price quantity sum")
"""Nouns that a qualifier after them makes unreadable: `amount shop`."""

AFTER_HEAD_NOUNS = _words("of in per sold paid due spent range list type code key tier rule unit")
"""What may follow them all the same; participles may, too."""

WHICH = _words("""
    old new first last original parent previous next source raw row unique external internal group temp surrogate
    initial final current main primary secondary
""")
"""First words of an id that name a particular one: `old_order_id` doesn't identify old orders."""

THREE_LETTERS = _words("""
    add age ago air all any art bag bed bid big bin bit box bus buy cap car cut day due end eye fee few fit fix gap gas
    hit hot how ink job key kit lab law leg lot low man map men mix net new off oil old one out own pay pet pin raw row
    run sea sex sit six sku sum tag tax ten tip top toy two use van via war way web who why win zip
""")
"""Words of three letters; others of that length are taken for abbreviations."""

NUMBERED = _words("""
    age amount average balance category charge class code cost count coverage days discount factor fee group hours
    id index length level limit minutes month number payment percent percentage position price quantity rank rate
    ratio reason revenue score size status supply tax total type unit units value version weight year
""")
"""Last words of names that 1 or 0 is a value of like any other; other columns that are 1 or 0 are flags."""

COUNTABLE = _words("amount charge cost discount fee payment price quantity total subtotal balance refund")
"""Last words of names that several values have a plural for: `sum of the prices`, but not of the taxes."""

VAGUE = _words("code description normalized status type value")
"""First words of names that many nodes have columns of."""

SMALL = _words("id at on by to in of or as is no")

UNITS = _words("cents seconds milliseconds microseconds bytes")
"""Last words of names that can only be the unit of what stands before them: `price_cents`."""

TIME_UNITS = _words("day week month quarter year")

MADE_BY = _words("""
    pivoted unpivoted joined enriched filtered unioned cleaned cleansed deduped deduplicated renamed final snapshot prep
    tmp
""")
"""Last words of a model's name that say how it is made, not what its rows are."""

NOT_PLURAL = _words("series species news analytics metrics sales goods details status address access")

IRREGULAR = {
    "people": "person",
    "children": "child",
    "statuses": "status",
    "bonuses": "bonus",
    "movies": "movie",
    "cookies": "cookie",
    "caches": "cache",
}

OPENERS = _words("""
    amount average balance category city code cost count country currency date day description discount duration email
    end estimated first full gross human id identifier last list maximum minimum month name net number order original
    payment percentage phone position postal price product quantity rate ratio reason region score size start state
    status sum tax time timestamp title total type unit value weight year zip
""")
"""First words that surely are common nouns or adjectives, so that their capital is only the sentence's."""

NOT_IN_NOUN_PHRASES = _words("""
    is are was were has have had can will would should must may whether if when indicate indicates used this these that
    which who whose see etc null default defaults deprecated todo tbd note currently join joins key flag not no never
    always our we either boolean true false only per each every all or also unique primary foreign uniquely identifies
    you your it its they their there plus minus times divided multiplied truncated rounded joined followed where with
    without less more than over between except excluding
""")
"""A description with one of these is a sentence, or claims more than what the column is called."""

WHOLE_TYPES = _words("tinyint smallint mediumint int integer bigint int128 hugeint utinyint usmallint uint ubigint")
NUMERIC_TYPES = _words("float double decimal numeric bigdecimal number real money")
TEXT_TYPES = _words("text varchar char nvarchar nchar string bpchar name")
