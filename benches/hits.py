"""The rows of a table of ClickBench's shape: `hits`, page views of one month with 105 columns.

The names and types are those of ClickBench's table, with EventTime, ClientEventTime and LocalEventTime as timestamps and
EventDate as a date. The values are made up, with the properties that decide what the queries cost:

- A row is a function of its number and of the number of rows, so that a table is the same on every machine.
- Rows are ordered by CounterID, EventDate, UserID and EventTime within a file, and files by CounterID.
- Sites, URLs, search phrases and users are skewed: few have many rows, many have one. A million rows have some
  280,000 URLs, 190,000 users and 49,000 search phrases. 13 % of the rows have a search phrase; most columns of text are mostly
  empty.
- What a user is (region, browser, screen, telephone) is the same in all its rows.
- CounterID 62, one page of it and one referrer have larger shares than in ClickBench's data, so that queries 37 to 43, which
  skip up to 10,000 groups, have rows from a million on; one site and two referring hosts have more than a tenth of the rows each,
  for the queries of groups above 100,000 rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_OF_FILE = 250_000
ROWS_OF_GROUP = 65_536

# What the queries name.
COUNTER, USER, URL_HASH, REFERER_HASH = 62, 435090932899640449, 2868770270353813622, 3594120000172545465

MICROSECONDS = 1_000_000
FIRST_DAY = (np.datetime64("2013-07-01") - np.datetime64("1970-01-01")).astype(int)
DAYS = 31

SMALL, INT, BIG, TEXT = pa.int16(), pa.int32(), pa.int64(), pa.string()
TIME, DATE = pa.timestamp("us"), pa.date32()
HIVE = {SMALL: "SMALLINT", INT: "INT", BIG: "BIGINT", TEXT: "STRING", TIME: "TIMESTAMP", DATE: "DATE"}


def mixed(numbers, salt):
    """Returns 64 evenly distributed bits of each number (the finalizer of SplitMix64)."""
    start = (salt * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64
    x = np.asarray(numbers).astype(np.uint64) + np.uint64(start)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def unit(numbers, salt):
    """Returns a number of [0, 1) for each number."""
    return (mixed(numbers, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(limit, numbers, salt):
    return (unit(numbers, salt) * limit).astype(np.int64)


def rank(count, numbers, salt):
    """Returns ranks below `count`, of which rank r is as frequent as 1 / (r + 1)."""
    return np.minimum(np.power(float(count), unit(numbers, salt)), count).astype(np.int64) - 1


def identifier(numbers, salt):
    """Returns positive numbers of 63 bits."""
    return (mixed(numbers, salt) >> np.uint64(1)).astype(np.int64)


def pick(shares, numbers, salt):
    """Returns keys of `shares`, each as often as its share says; shares need not add up to 1."""
    ends = np.cumsum(np.fromiter(shares.values(), dtype=float))
    places = np.searchsorted(ends, unit(numbers, salt) * ends[-1], side="right")
    values = list(shares)
    if isinstance(values[0], str):
        return taken(values, places)
    return np.array(values)[places]


def taken(values, places):
    """Returns the values at these places, which may be beyond the last: they begin anew."""
    return pa.array(values, TEXT).take(pa.array(places.astype(np.int64) % len(values)))


def words(count, syllables, salt):
    """Returns words of one to four syllables, frequent words shorter."""
    made = []
    for number in range(count):
        length = 1 + min(3, int(np.log10(1 + number)) + number % 2)
        places = below(len(syllables), number * 4 + np.arange(length), salt)
        made.append("".join(syllables[place] for place in places))
    return made


LATIN = words(600, "ba be di do fa go ha ki la lo ma mi na no pe ra ri sa se ta to va ze".split(), 1)
CYRILLIC = words(3000, "ба ве до за ка ли мо на пе ра се ту фи хо ше ло ми но ры ста про при кра".split(), 2)


def joined(*parts):
    return pc.binary_join_element_wise(*parts, "")


def digits(numbers):
    return pc.cast(pa.array(numbers), TEXT)


def where(condition, yes, no):
    return pc.if_else(pa.array(condition), yes, no)


def phrase(numbers, salt, length):
    """Returns texts of up to `length` words, the same for the same number."""
    parts = [taken(CYRILLIC, rank(len(CYRILLIC), numbers, salt + i)) for i in range(length)]
    present = below(length, numbers, salt + length)
    shown = [where(present >= i, part, None) for i, part in enumerate(parts)]
    return pc.binary_join_element_wise(*shown, " ", null_handling="skip")


def hosts(counters, salt):
    """Returns the host of each site, or of each site that refers to others."""
    name = taken(LATIN, below(len(LATIN), counters, salt))
    return joined(name, "-", digits(counters), pick({".ru": 7, ".com": 2, ".net": 1}, counters, salt + 1))


class Sites:
    """Which site each row belongs to. The rows are in the order of the sites' numbers."""

    def __init__(self, rows):
        self.rows = rows
        count = max(8, min(6500, rows // 150))
        shares = {COUNTER: 0.045, 3922: 0.12, 199550: 0.11}
        others = np.arange(count)
        # Shares of a tail, as rank r is as frequent as 1 / (r + 6).
        tail = 1 / (others + 6)
        tail *= (1 - sum(shares.values())) / tail.sum()
        ids = np.array([*shares, *(1000 + 41 * others + below(40, others, 3))])
        order = np.argsort(ids)
        self.ids = ids[order]
        self.ends = np.cumsum(np.concatenate([list(shares.values()), tail])[order])

    def of(self, numbers):
        places = np.searchsorted(self.ends, (numbers + 0.5) / self.rows, side="right")
        return self.ids[np.minimum(places, len(self.ids) - 1)].astype(np.int64)


def pages(row, site, rows):
    """Returns a number of each row's page, which is unique over all sites: 0 for the home page of a site."""
    page = rank(max(4, rows // 200), row, 10) * (unit(row, 11) > 0.4)
    home = (site == COUNTER) & (unit(row, 12) < 0.4)
    return site * (1 << 32) + np.where(home, 0, page)


def urls(page, site):
    number = page % (1 << 32)
    google = unit(page, 20) < 0.0004
    host = where(google, joined("www.google.", digits(site), ".com"), hosts(site, 21))
    folder = taken(LATIN, below(len(LATIN), page, 23))
    name, value = taken(LATIN, below(40, page, 24)), digits(below(10**9, page, 25))
    query = joined("?", name, "=", value, "&lr=", digits(below(9999, page, 26)))
    path = joined("/", folder, "/", digits(number), pick({".html": 5, "/": 4, ".php": 1}, page, 27))
    long = pc.if_else(pa.array(unit(page, 28) < 0.6), query, "")
    scheme = pick({"http://": 24, "https://": 1}, page, 29)
    return where(number == 0, joined(scheme, host, "/"), joined(scheme, host, path, long))


def referers(row, page, site, phrases, rows):
    """Returns the referrers and their hashes: none, a search engine, a page of the same site or of another one."""
    kind = unit(row, 30)
    number = np.where(kind < 0.5, 1 + rank(max(4, rows // 40), row, 31), below(1_000_000_000, row, 32))
    other = rank(20_000, row, 33)
    engine = taken(["yandex-search.ru", "go-find.com"], kind >= 0.4)
    first = joined("http://www.", engine, "/?text=", phrases, "&p=", digits(number))
    inner = urls(site * (1 << 32) + number % 4096, site)
    outer = joined("https://www.", hosts(other, 34), "/", taken(LATIN, below(600, row, 36)), "/", digits(number))
    text = where(kind < 0.5, first, where(kind < 0.7, inner, outer))
    text = where(kind < 0.17, "", text)
    named = (site == COUNTER) & (unit(row, 37) < 0.06)
    text = where(named, "http://www.partner-62.ru/catalogue/", text)
    parts = np.where(kind < 0.17, 0, np.where(kind < 0.7, site * 7919 + number, other * 104729 + number))
    return text, np.where(named, REFERER_HASH, identifier(parts, 38))


def users(row, rows):
    """Returns the rank of each row's user: users of a low rank have many rows."""
    count = max(8, rows // 5)
    return (count * np.power(unit(row, 40), 2.5)).astype(np.int64)


# Sizes and telephones, and how frequent they are.
SCREENS = {
    (1366, 768): 24, (1280, 1024): 15, (1920, 1080): 14, (1024, 768): 11, (1600, 900): 8, (1440, 900): 7, (320, 480): 6,
    (800, 1280): 3, (0, 0): 2,
}  # fmt: skip
PHONES = {
    "": 940, "iPad": 22, "iPhone": 14, "GT-I9300": 5, "A500": 4, "Lumia 920": 3, "N8-00": 2, "GT-P7510": 2, "LG Optimus": 1,
    "Desire HD": 1,
}  # fmt: skip
# Columns of text that advertisements set, and the share of rows that have them.
ADVERTISED = {
    "OpenstatServiceName": 0.02, "OpenstatCampaignID": 0.02, "OpenstatAdID": 0.02, "OpenstatSourceID": 0.02, "UTMSource": 0.02,
    "UTMMedium": 0.02, "UTMCampaign": 0.02, "UTMContent": 0.01, "UTMTerm": 0.005, "FromTag": 0.01,
}  # fmt: skip


def screens(user):
    place = pick(dict(enumerate(SCREENS.values())), user, 50)
    return tuple(np.array([size[side] for size in SCREENS])[place] for side in (0, 1))


def mostly(value, share, other, numbers, salt):
    """Returns `value` in this share of the rows, and `other` in the rest."""
    return np.where(unit(numbers, salt) < share, value, other)


def sparse(share, text, numbers, salt):
    """Returns a text in this share of the rows, and the empty text in the rest."""
    return where(unit(numbers, salt) < share, text, "")


def tag(numbers, salt, choices):
    return joined(taken(LATIN, rank(choices, numbers, salt)), "_", digits(rank(choices, numbers, salt + 1)))


def columns(row, rows, sites):
    """Yields the name, type and values of each column, for these numbers of rows."""
    site, user = sites.of(row), users(row, rows)
    page = pages(row, site, rows)
    day = FIRST_DAY + below(DAYS, row, 60)
    # The mean of three: few rows at night, most after noon.
    second = ((unit(row, 61) + unit(row, 62) + unit(row, 63)) / 3 * 86400 + 7200).astype(np.int64) % 86400
    time = (day * 86400 + second) * MICROSECONDS
    url, home = urls(page, site), (site == COUNTER) & (page % (1 << 32) == 0)
    searched = unit(row, 64) < 0.13
    phrase_count = max(8, rows // 8)
    asked = 1 + np.where(unit(row, 74) < 0.5, rank(phrase_count, row, 65), below(phrase_count, row, 65))
    phrases = where(searched, phrase(asked, 66, 5), "")
    google = unit(row, 75) < 0.001
    referer, referer_hash = referers(row, page, site, phrases, rows)
    width, height = screens(user)
    phone = pick(PHONES, user, 51)
    mobile = pc.not_equal(phone, "").to_numpy(zero_copy_only=False)
    telephone = np.where(mobile, 1 + below(90, user, 52), 0)
    source = pick({-1: 35, 0: 5, 1: 20, 2: 18, 3: 10, 6: 8, 4: 2, 5: 2}, row, 70)
    agent = pick({7: 30, 82: 20, 3: 18, 2: 14, 70: 6, 42: 5, 5: 4, 59: 3}, user, 53)
    system = pick({44: 38, 2: 20, 160: 12, 4: 8, 177: 6, 61: 5, 55: 4, 172: 3, 8: 1}, user, 54)
    region = np.where(unit(user, 55) < 0.3, 229, 2 + rank(9000, user, 56))
    address = (identifier(user * 3 + below(2, row, 71), 57) % 4_000_000_000 - 2_000_000_000).astype(np.int64)
    title = joined(where(google, "Google ", ""), phrase(page, 80, 7), " - ", hosts(site, 21))

    yield "WatchID", BIG, identifier(row, 100)
    yield "JavaEnable", SMALL, mostly(1, 0.8, 0, user, 101)
    yield "Title", TEXT, sparse(0.86, title, page, 102)
    yield "GoodEvent", SMALL, np.ones(len(row))
    yield "EventTime", TIME, time
    yield "EventDate", DATE, day
    yield "CounterID", INT, site
    yield "ClientIP", INT, address
    yield "RegionID", INT, region
    yield "UserID", BIG, np.where(user == 1000, USER, identifier(user, 103))
    yield "CounterClass", SMALL, mostly(0, 0.9, 1, site, 104)
    yield "OS", SMALL, system
    yield "UserAgent", SMALL, agent
    yield "URL", TEXT, url
    yield "Referer", TEXT, referer
    yield "IsRefresh", SMALL, mostly(0, 0.88, 1, row, 105)
    yield "RefererCategoryID", SMALL, mostly(0, 0.7, 9000 + below(1400, row, 106), row, 107)
    yield "RefererRegionID", INT, mostly(0, 0.7, rank(5000, row, 108), row, 107)
    yield "URLCategoryID", SMALL, mostly(0, 0.4, 9000 + below(1400, site, 109), site, 110)
    yield "URLRegionID", INT, mostly(0, 0.4, rank(5000, site, 111), site, 110)
    yield "ResolutionWidth", SMALL, width
    yield "ResolutionHeight", SMALL, height
    yield "ResolutionDepth", SMALL, pick({32: 70, 24: 28, 16: 2}, user, 112)
    yield "FlashMajor", SMALL, mostly(0, 0.15, 8 + below(4, user, 113), user, 114)
    yield "FlashMinor", SMALL, below(10, user, 115)
    yield "FlashMinor2", TEXT, sparse(0.8, digits(100 + below(700, user, 116)), user, 114)
    yield "NetMajor", SMALL, mostly(0, 0.6, 2 + below(3, user, 117), user, 118)
    yield "NetMinor", SMALL, mostly(0, 0.6, below(6, user, 119), user, 118)
    yield "UserAgentMajor", SMALL, 3 + below(26, user, 120)
    yield "UserAgentMinor", TEXT, pick({"0": 60, "D": 20, "": 12, "7": 4, "16": 4}, user, 121)
    yield "CookieEnable", SMALL, mostly(1, 0.99, 0, user, 122)
    yield "JavascriptEnable", SMALL, np.ones(len(row))
    yield "IsMobile", SMALL, mobile
    yield "MobilePhone", SMALL, telephone
    yield "MobilePhoneModel", TEXT, phone
    yield "Params", TEXT, sparse(0.05, joined('{"', tag(row, 123, 30), '":', digits(asked), "}"), row, 125)
    yield "IPNetworkID", INT, 1 + rank(4_000_000, user, 126)
    yield "TraficSourceID", SMALL, source
    yield "SearchEngineID", SMALL, np.where(searched, pick({2: 70, 3: 22, 13: 5, 23: 3}, row, 127), 0)
    yield "SearchPhrase", TEXT, phrases
    advertised = pick({2: 640, 27: 180, 13: 70, 45: 60, 44: 40, 3: 10}, row, 128)
    yield "AdvEngineID", SMALL, mostly(0, 0.9937, advertised, row, 129)
    yield "IsArtifical", SMALL, mostly(0, 0.97, 1, row, 130)
    yield "WindowClientWidth", SMALL, np.maximum(width - below(420, row, 131), 0)
    yield "WindowClientHeight", SMALL, np.maximum(height - below(360, row, 132), 0)
    yield "ClientTimeZone", SMALL, pick({-1: 3, 135: 55, 157: 20, 178: 9, 107: 8, 0: 5}, user, 133)
    yield "ClientEventTime", TIME, time + (below(7200, user, 134) - 3600) * MICROSECONDS
    yield "SilverlightVersion1", SMALL, mostly(0, 0.35, 5, user, 135)
    yield "SilverlightVersion2", SMALL, mostly(0, 0.8, 1, user, 135)
    yield "SilverlightVersion3", INT, mostly(0, 0.35, 10411 + below(9000, user, 136), user, 135)
    yield "SilverlightVersion4", SMALL, np.zeros(len(row))
    yield "PageCharset", TEXT, pick({"windows": 50, "utf-8": 45, "koi8-r": 1, "": 4}, site, 137)
    yield "CodeVersion", INT, 1 + below(1700, site, 138)
    yield "IsLink", SMALL, mostly(0, 0.6, 1, row, 139)
    yield "IsDownload", SMALL, mostly(0, 0.99, 1, row, 140)
    yield "IsNotBounce", SMALL, mostly(1, 0.55, 0, row, 141)
    yield "FUniqID", BIG, np.where(unit(user, 142) < 0.1, 0, identifier(user, 143))
    yield "OriginalURL", TEXT, sparse(0.25, url, row, 144)
    yield "HID", INT, below(2**30, row, 145)
    yield "IsOldCounter", SMALL, np.zeros(len(row))
    yield "IsEvent", SMALL, mostly(0, 0.96, 1, row, 146)
    yield "IsParameter", SMALL, np.zeros(len(row))
    yield "DontCountHits", SMALL, mostly(0, 0.93, 1, row, 147)
    yield "WithHash", SMALL, mostly(0, 0.94, 1, row, 148)
    yield "HitColor", TEXT, pick({"T": 45, "E": 30, "D": 15, "5": 10}, row, 149)
    yield "LocalEventTime", TIME, time + below(180, row, 150) * MICROSECONDS
    yield "Age", SMALL, pick({0: 45, 16: 5, 22: 10, 26: 14, 31: 14, 39: 12}, user, 151)
    yield "Sex", SMALL, pick({0: 45, 1: 27, 2: 28}, user, 152)
    yield "Income", SMALL, pick({0: 45, 1: 8, 2: 29, 3: 14, 4: 4}, user, 153)
    yield "Interests", SMALL, mostly(0, 0.5, below(32_000, user, 154), user, 155)
    yield "Robotness", SMALL, mostly(0, 0.98, 2, user, 156)
    yield "RemoteIP", INT, address
    yield "WindowName", INT, mostly(-1, 0.5, below(40_000, row, 157), row, 158)
    yield "OpenerName", INT, mostly(-1, 0.8, below(40_000, row, 159), row, 160)
    yield "HistoryLength", SMALL, mostly(-1, 0.2, 1 + rank(60, row, 161), row, 162)
    yield "BrowserLanguage", TEXT, pick({"S0": 88, "Ru": 6, "en": 4, "": 2}, user, 163)
    yield "BrowserCountry", TEXT, pick({"h1": 90, "RU": 6, "UA": 2, "KZ": 1, "": 1}, user, 164)
    yield "SocialNetwork", TEXT, sparse(0.002, taken(["vk", "odnoklassniki", "twitter"], row), row, 165)
    yield "SocialAction", TEXT, sparse(0.002, taken(["like", "share"], row), row, 165)
    yield "HTTPError", SMALL, mostly(0, 0.995, 404, row, 166)
    yield "SendTiming", INT, mostly(-1, 0.5, rank(20_000, row, 167), row, 168)
    yield "DNSTiming", INT, mostly(-1, 0.5, rank(5_000, row, 169), row, 168)
    yield "ConnectTiming", INT, mostly(-1, 0.5, rank(5_000, row, 170), row, 168)
    yield "ResponseStartTiming", INT, mostly(-1, 0.5, rank(30_000, row, 171), row, 168)
    yield "ResponseEndTiming", INT, mostly(-1, 0.5, rank(60_000, row, 172), row, 168)
    yield "FetchTiming", INT, mostly(-1, 0.5, rank(60_000, row, 173), row, 168)
    yield "SocialSourceNetworkID", SMALL, mostly(0, 0.98, 1 + below(40, row, 174), row, 175)
    yield "SocialSourcePage", TEXT, sparse(0.02, joined("http://", tag(row, 176, 300), ".ru/"), row, 175)
    yield "ParamPrice", BIG, mostly(0, 0.99, below(10**7, row, 178), row, 179)
    yield "ParamOrderID", TEXT, sparse(0.003, digits(below(10**9, row, 180)), row, 179)
    yield "ParamCurrency", TEXT, sparse(0.01, taken(["RUB", "USD", "EUR"], row), row, 179)
    yield "ParamCurrencyID", SMALL, mostly(0, 0.99, 1, row, 179)
    for number, (name, share) in enumerate(ADVERTISED.items()):
        yield name, TEXT, sparse(share, tag(row, 300 + 2 * number, 200), row, 400 if name.startswith("Openstat") else 401)
    yield "HasGCLID", SMALL, mostly(0, 0.99, 1, row, 205)
    yield "RefererHash", BIG, referer_hash
    yield "URLHash", BIG, np.where(home, URL_HASH, identifier(page, 206))
    yield "CLID", INT, mostly(0, 0.98, below(2_000_000, row, 207), row, 208)


def table(start, end, rows, sites):
    """Returns the rows of these numbers, in the order of a file."""
    row = np.arange(start, end, dtype=np.int64)
    fields, arrays = [], []
    for name, kind, values in columns(row, rows, sites):
        fields.append(pa.field(name, kind, nullable=False))
        if isinstance(values, np.ndarray):
            dtype = {TIME: np.int64, DATE: np.int32}.get(kind) or kind.to_pandas_dtype()
            values = pa.array(values.astype(dtype)).cast(kind)
        arrays.append(values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)
    made = pa.table(arrays, schema=pa.schema(fields))
    return made.sort_by([(name, "ascending") for name in ("CounterID", "EventDate", "UserID", "EventTime", "WatchID")])


def write(folder, rows):
    """Writes the table to Parquet files in a folder, which must not exist, and returns its schema."""
    folder.mkdir(parents=True)
    sites, schema = Sites(rows), None
    for number, start in enumerate(range(0, rows, ROWS_OF_FILE)):
        made = table(start, min(start + ROWS_OF_FILE, rows), rows, sites)
        pq.write_table(made, folder / f"hits_{number:03}.parquet", compression="snappy", row_group_size=ROWS_OF_GROUP)
        schema = made.schema
    return schema
