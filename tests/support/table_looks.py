"""What tables are like in every respect but their rows and object ids, as PostgreSQL's catalogs tell it."""

from projections.engine.checkpoint import Connection

Looks = dict[str, list[str]]

_TABLES = "c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'read\\_%'"

_QUERIES = {
    "tables": f"""
        SELECT c.relname, c.relowner::regrole, c.relpersistence, c.reloptions, t.reloptions AS toast, c.reltablespace,
            c.relreplident, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relkind, c.relam,
            obj_description(c.oid, 'pg_class')
        FROM pg_class c
        LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
        WHERE {_TABLES}
    """,
    "rights": f"""
        SELECT c.relname, '' AS attname, a.grantor::regrole, a.grantee, a.privilege_type, a.is_grantable
        FROM pg_class c
        CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE {_TABLES}
        UNION ALL
        SELECT c.relname, n.attname, a.grantor::regrole, a.grantee, a.privilege_type, a.is_grantable
        FROM pg_class c
        JOIN pg_attribute n ON n.attrelid = c.oid
        CROSS JOIN LATERAL aclexplode(n.attacl) a
        WHERE {_TABLES}
    """,
    "columns": f"""
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
            a.attgenerated, a.attstorage, a.attcompression, a.attcollation, a.attstattarget, a.attoptions,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE {_TABLES}
    """,
    "indexes": f"""
        SELECT c.relname, pg_get_indexdef(x.oid), x.relname, x.relowner::regrole, x.reloptions, x.reltablespace,
            i.indisunique, i.indisprimary, i.indisexclusion, i.indimmediate, i.indisclustered, i.indisvalid,
            i.indisready, i.indislive, i.indisreplident, i.indnullsnotdistinct, obj_description(x.oid, 'pg_class'),
            (SELECT array_agg(a.attstattarget ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = x.oid)
        FROM pg_class c
        JOIN pg_index i ON i.indrelid = c.oid
        JOIN pg_class x ON x.oid = i.indexrelid
        WHERE {_TABLES}
    """,
    "constraints": f"""
        SELECT c.relname, k.conname, k.connamespace::regnamespace, pg_get_constraintdef(k.oid), k.contype,
            k.condeferrable, k.condeferred, k.convalidated, k.conislocal, x.relname,
            obj_description(k.oid, 'pg_constraint')
        FROM pg_class c
        JOIN pg_constraint k ON k.conrelid = c.oid
        LEFT JOIN pg_class x ON x.oid = k.conindid
        WHERE {_TABLES}
    """,
    "statistics": f"""
        SELECT c.relname, s.stxname, s.stxnamespace::regnamespace, pg_get_statisticsobjdef(s.oid), s.stxstattarget
        FROM pg_class c
        JOIN pg_statistic_ext s ON s.stxrelid = c.oid
        WHERE {_TABLES}
    """,
}


async def looks_of(sql: Connection) -> Looks:
    """Return what every read table is like."""
    return {name: sorted(map(str, await sql.fetch(query))) for name, query in _QUERIES.items()}
