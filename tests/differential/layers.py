"""Queries over queries: grouped rows grouped again, windows over grouped rows, filtered ranks, cut lists that are joined, and a WITH
that is read several times.

What a layer gives is determined, and has the same types in all engines: sums are cast, averages are left out, and a LIMIT is under an
order of all columns, none of which may have a 0 and a -0.
"""

from data import BIGINT, BOOLEAN
from expressions import LIST_END
from sql import Expr, Query, Select, SetOperation, SubRef, TableRef, exact, exposed, settled


class Layers:
    def layered(self, depth):
        """One to three layers over a SELECT."""
        query = settled(Query(self.select(min(depth, 1))))
        for _ in range(self.rng.choice([1, 1, 2, 2, 3] if depth > 0 else [1, 1, 2])):
            if not exact(query.columns()):
                break
            query = self.layer(query, depth)
        return query

    def layer(self, query, depth):
        alias = self.alias()
        source, refs = SubRef(query, alias), exposed(query.columns(), alias)
        return self.rng.choice([self.groups, self.groups, self.groups, self.distinct, self.numbered, self.ranked, self.head, self.beside])(source, refs, depth)

    def groups(self, source, refs, depth):
        """Groups of the rows, which may have been joined before."""
        if self.chance(0.3):
            source, refs = self.join(source, refs, *self.other(depth))
        where = self.filter(source, refs, depth) if self.chance(0.3) else None
        with self.reaching(source):
            return settled(Query(self.grouped(source, refs, where)))

    def distinct(self, source, refs, depth):
        items = [self.value(ref.type, refs, self.rng.choice([0, 0, 1])) for ref in self.some(refs)]
        where = self.filter(source, refs, depth) if self.chance(0.3) else None
        distinct = all(item.type.name not in LIST_END for item in items)
        return Query(Select(named(items), source, where, distinct=distinct))

    def numbered(self, source, refs, depth):
        """Some columns, and window functions over all of them."""
        items = [ref.expr() for ref in self.some(refs)]
        total = all(ref.type.name not in LIST_END for ref in refs)
        items.append(self.window(refs, total))
        if self.chance(0.25):
            items.append(self.window(refs, False))
        where = self.filter(source, refs, depth) if self.chance(0.2) else None
        return settled(Query(Select(named(items), source, where)))

    def ranked(self, source, refs, depth):
        """The first rows by a rank, or those of another window."""
        rng = self.rng
        inner = self.numbered(source, refs, 0)
        alias = self.alias()
        upper = exposed(inner.columns(), alias)
        windows = [ref for ref in upper if ref.name == inner.columns()[-1].text and ref.type == BIGINT]
        if windows and self.chance(0.85):
            where = Expr(BOOLEAN, "(", windows[0].expr(), f" {rng.choice(['<=', '<=', '=', '<', '>'])} {rng.randint(1, 3)})")
            if self.chance(0.3):
                where = Expr(BOOLEAN, "(", where, rng.choice([" AND ", " OR "]), self.predicate(upper, 1), ")")
        else:
            where = self.predicate(upper, 1)
        kept = self.some(upper) if self.chance(0.5) else upper
        query = Query(Select(named([ref.expr() for ref in kept]), SubRef(inner, alias), where))
        return self.cut(query) if self.chance(0.2) else query

    def head(self, source, refs, depth):
        """The first rows in an order of all columns."""
        query = source.query
        if query.limit is not None or query.order or not isinstance(query.body, Select) or self.chance(0.4):
            where = self.filter(source, refs, 0) if self.chance(0.3) else None
            query = Query(Select(named([ref.expr() for ref in self.some(refs)]), source, where))
        return self.cut(query)

    def beside(self, source, refs, depth):
        """Joined with a table, or with another query of this kind."""
        source, refs = self.join(source, refs, *self.other(depth))
        items = [self.value(ref.type, refs, self.rng.choice([0, 0, 0, 1])) for ref in self.some(refs)]
        return Query(Select(named(items), source, self.filter(source, refs, depth) if self.chance(0.5) else None))

    # Parts of layers

    def other(self, depth):
        if self.chance(0.5):
            query = self.layered(0)
            if exact(query.columns()):
                alias = self.alias()
                return SubRef(query, alias), exposed(query.columns(), alias)
        return self.item(0)

    def some(self, refs):
        return self.rng.sample(refs, self.rng.randint(1, min(len(refs), 4)))

    def filter(self, source, refs, depth):
        with self.reaching(source):
            return self.predicate(refs, 2, subqueries=depth > 0)

    def cut(self, query):
        """Ordered by all columns and cut, where that is determined."""
        rng = self.rng
        columns = query.columns()
        if all(self.sortable(ref) and not ref.type.is_float for ref in columns):
            query.order = self.order(columns)
            query.limit = rng.choice([1, 2, 3, 5, 10])
            query.offset = rng.choice([None, None, None, 0, 1, 2, 5])
        return query

    @staticmethod
    def sortable(ref):
        # An average is no number to order by: engines round it differently.
        return ref.type.name not in (*LIST_END, "average")

    def order(self, columns):
        rng = self.rng
        order = list(columns)
        rng.shuffle(order)
        return [(ref.text, rng.choice(["ASC", "DESC"]), rng.choice(["", "", "NULLS FIRST", "NULLS LAST"])) for ref in order]

    # A WITH that is read several times

    def shared(self, depth):
        """One WITH, and a body that reads it two or three times with conditions of their own."""
        made = self.layered(0) if self.chance(0.6) else settled(self.query(min(depth, 1) - 1))
        columns = exact(made.columns())
        if not columns:
            return made
        outer = self.ctes
        ctes = [self.cte(made)]
        if self.chance(0.2):
            # The second reads the first.
            second = self.branch(0)
            if exact(second.columns()):
                ctes.append(self.cte(second))
        body = self.rng.choice([self.twice, self.twice, self.both_sides, self.within, self.pieces])()
        self.ctes = outer
        return Query(body, ctes)

    def cte(self, query):
        """A name for the query from here on."""
        name = f"w{self.alias()}"
        self.ctes = [*self.ctes, (name, exact(query.columns()))]
        self.sizes[name] = self.rows(query)
        if len(exact(query.columns())) < len(query.columns()):
            self.partial.add(name)
        return name, query

    def reference(self):
        """The last WITH by a new alias, now and then one before."""
        name, columns = self.ctes[-1] if self.chance(0.75) else self.rng.choice(self.ctes)
        alias = self.alias()
        return TableRef(name, alias), exposed(columns, alias)

    def branch(self, grouped=0.4):
        """Some rows of it, or groups of them."""
        source, refs = self.reference()
        where = self.predicate(refs, 1) if self.chance(0.8) else None
        if self.chance(grouped):
            return settled(Query(self.grouped(source, refs, where)))
        return Query(Select(named([ref.expr() for ref in self.some(refs)]), source, where))

    def twice(self):
        """Joined with itself."""
        item, refs = self.reference()
        for _ in range(self.rng.choice([1, 1, 2])):
            more = self.reference()
            made = self.common(item, refs, *more, full=False) if self.chance(0.2) else None
            item, refs = made or self.join(item, refs, *more)
        with self.reaching(item):
            where = self.predicate(refs, 2, subqueries=True) if self.chance(0.7) else None
            if self.chance(0.3):
                return self.grouped(item, refs, where)
        return Select(named([ref.expr() for ref in self.some(refs)]), item, where)

    def both_sides(self):
        """In both sides of UNION, INTERSECT or EXCEPT."""
        first, refs = self.reference()
        kept = [ref for ref in refs if ref.type.name not in LIST_END]
        if not kept:
            return self.twice()
        chosen = self.some(kept)
        name, columns = first.table, [ref.name for ref in chosen]
        alias = self.alias()
        second = [ref for ref in exposed(dict(self.ctes)[name], alias)]
        again = {ref.name: ref for ref in second}
        left = Select(named([ref.expr() for ref in chosen]), first, self.predicate(refs, 1))
        right = Select([(again[column].expr(), None) for column in columns], TableRef(name, alias), self.predicate(second, 1))
        return SetOperation(self.rng.choice(["UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "INTERSECT ALL", "EXCEPT ALL"]), left, right)

    def within(self):
        """In FROM and in subqueries of WHERE."""
        item, refs = self.reference()
        with self.reaching(item):
            where = self.subquery_predicate(refs, 1)
            if self.chance(0.5):
                where = Expr(BOOLEAN, "(", where, self.rng.choice([" AND ", " OR "]), self.subquery_predicate(refs, 1), ")")
            return Select(named([ref.expr() for ref in self.some(refs)]), item, where)

    def pieces(self):
        """Rows and groups of it as subqueries that are joined."""
        items = []
        for _ in range(self.rng.choice([2, 2, 3])):
            query = self.branch()
            if exact(query.columns()):
                alias = self.alias()
                items.append((SubRef(query, alias), exposed(query.columns(), alias)))
        if not items:
            return self.twice()
        item, refs = items[0]
        for right in items[1:]:
            item, refs = self.join(item, refs, *right)
        where = self.predicate(refs, 1) if self.chance(0.5) else None
        return Select(named([ref.expr() for ref in self.some(refs)]), item, where)


def named(items):
    return [(item, f"x{place}") for place, item in enumerate(items)]
