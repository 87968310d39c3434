-- query: beforehand
-- What a table has beyond what LIKE copies, as far as it must be so before the rows are there.
WITH original AS (
    SELECT g.original, g.place, c.*, t.reloptions AS toast_options, s.spcname
    FROM unnest($1::text[], $2::text[]) AS g (original, place)
    JOIN pg_class c ON c.oid = g.original::regclass
    LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
),

columns AS (
    SELECT o.original, o.place, a.attname, a.attstattarget, array_to_string(a.attoptions, ', ') AS options
    FROM original o
    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
),

statements AS (
    SELECT 1 AS stage, original, format('ALTER TABLE %s SET (%s)', place, string_agg(p.option, ', ')) AS statement
    FROM original
    CROSS JOIN LATERAL (
        SELECT unnest(reloptions) AS option
        UNION ALL
        SELECT 'toast.' || unnest(toast_options)
    ) p
    GROUP BY original, place

    UNION ALL

    SELECT 1, original, format('ALTER TABLE %s SET UNLOGGED', place) FROM original WHERE relpersistence = 'u'

    UNION ALL

    SELECT 1, original, format('ALTER TABLE %s SET TABLESPACE %I', place, spcname)
    FROM original
    WHERE spcname IS NOT NULL

    UNION ALL

    SELECT 1, original, format('ALTER TABLE %s REPLICA IDENTITY %s', place, i.identity)
    FROM original
    JOIN (VALUES ('f', 'FULL'), ('n', 'NOTHING')) AS i (code, identity) ON i.code = relreplident::text

    UNION ALL

    SELECT 1, original, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', place, attname, attstattarget)
    FROM columns
    WHERE attstattarget >= 0

    UNION ALL

    SELECT 1, original, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', place, attname, options)
    FROM columns
    WHERE options IS NOT NULL

    UNION ALL

    SELECT 2, original, format('ALTER TABLE %s OWNER TO %I', place, pg_get_userbyid(relowner))
    FROM original
    WHERE pg_get_userbyid(relowner) <> current_user
)

SELECT original, statement
FROM statements
ORDER BY stage, statement;

-- query: unasked
-- Rights that default privileges have given.
SELECT DISTINCT
    place AS original,
    format(
        'REVOKE ALL ON %s FROM %s',
        place,
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
    ) AS statement
FROM unnest($1::text[]) AS place
JOIN pg_class c ON c.oid = place::regclass
CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE a.grantee <> c.relowner;

-- query: afterwards
-- What costs less, or means something only, when the rows are there: indexes, constraints on them, grants, comments.
WITH original AS (
    SELECT
        g.original,
        g.place,
        split_part(g.place, '.', 1) AS schema,
        c.oid,
        c.relowner,
        c.relacl,
        format(' ON %I.%I ', n.nspname, c.relname) AS on_original
    FROM unnest($1::text[], $2::text[]) AS g (original, place)
    JOIN pg_class c ON c.oid = g.original::regclass
    JOIN pg_namespace n ON n.oid = c.relnamespace
),

constraints AS (
    SELECT
        o.original,
        o.place,
        k.*,
        CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
        || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferring
    FROM original o
    JOIN pg_constraint k ON k.conrelid = o.oid AND k.contype IN ('p', 'u', 'f', 'x')
),

indexes AS (
    SELECT
        o.original,
        o.place,
        o.on_original,
        i.*,
        c.relname,
        s.spcname,
        format('%s.%I', o.schema, c.relname) AS index
    FROM original o
    JOIN pg_index i ON i.indrelid = o.oid
    JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
),

statistics AS (
    SELECT o.original, o.place, s.*, n.nspname, format('%s.%I', o.schema, s.stxname) AS statistic
    FROM original o
    JOIN pg_statistic_ext s ON s.stxrelid = o.oid
    JOIN pg_namespace n ON n.oid = s.stxnamespace
),

grants AS (
    SELECT o.original, o.place, a.privilege_type, '' AS columns, a.grantee, a.is_grantable
    FROM original o
    CROSS JOIN LATERAL aclexplode(o.relacl) a
    WHERE a.grantee <> o.relowner

    UNION ALL

    SELECT o.original, o.place, g.privilege_type, format(' (%I)', a.attname), g.grantee, g.is_grantable
    FROM original o
    JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL aclexplode(a.attacl) g
),

statements AS (
    SELECT
        1 AS stage,
        i.original,
        replace(pg_get_indexdef(i.indexrelid), i.on_original, format(' ON %s ', i.place)) AS statement
    FROM indexes i
    WHERE i.indexrelid NOT IN (SELECT conindid FROM constraints WHERE contype = 'x')

    UNION ALL

    SELECT
        1,
        s.original,
        regexp_replace(
            replace(
                pg_get_statisticsobjdef(s.oid),
                format('STATISTICS %I.%I', s.nspname, s.stxname),
                'STATISTICS ' || s.statistic
            ),
            ' FROM [^ ]+$',
            ' FROM ' || s.place
        )
    FROM statistics s

    UNION ALL

    SELECT
        2,
        k.original,
        format(
            'ALTER TABLE %s ADD CONSTRAINT %I %s',
            k.place,
            k.conname,
            CASE k.contype
                WHEN 'p' THEN format('PRIMARY KEY USING INDEX %I', k.conname) || k.deferring
                WHEN 'u' THEN format('UNIQUE USING INDEX %I', k.conname) || k.deferring
                ELSE pg_get_constraintdef(k.oid)
            END
        )
    FROM constraints k

    UNION ALL

    SELECT 3, i.original, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', i.index, a.attnum, a.attstattarget)
    FROM indexes i
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attstattarget >= 0

    UNION ALL

    SELECT 3, i.original, format('ALTER INDEX %s SET TABLESPACE %I', i.index, i.spcname)
    FROM indexes i
    WHERE i.spcname IS NOT NULL

    UNION ALL

    SELECT 3, i.original, format('ALTER TABLE %s CLUSTER ON %I', i.place, i.relname)
    FROM indexes i
    WHERE i.indisclustered

    UNION ALL

    SELECT 3, i.original, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', i.place, i.relname)
    FROM indexes i
    WHERE i.indisreplident

    UNION ALL

    SELECT 3, s.original, format('ALTER STATISTICS %s SET STATISTICS %s', s.statistic, s.stxstattarget)
    FROM statistics s
    WHERE s.stxstattarget >= 0

    UNION ALL

    SELECT
        3,
        g.original,
        format(
            'GRANT %s%s ON %s TO %s%s',
            g.privilege_type,
            g.columns,
            g.place,
            CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        )
    FROM grants g

    UNION ALL

    SELECT 4, o.original, format('COMMENT ON TABLE %s IS %L', o.place, obj_description(o.oid, 'pg_class'))
    FROM original o
    WHERE obj_description(o.oid, 'pg_class') IS NOT NULL

    UNION ALL

    SELECT 4, i.original, format('COMMENT ON INDEX %s IS %L', i.index, obj_description(i.indexrelid, 'pg_class'))
    FROM indexes i
    WHERE obj_description(i.indexrelid, 'pg_class') IS NOT NULL

    UNION ALL

    SELECT
        4,
        k.original,
        format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, k.place, obj_description(k.oid, 'pg_constraint'))
    FROM constraints k
    WHERE obj_description(k.oid, 'pg_constraint') IS NOT NULL
)

SELECT original, statement
FROM statements
ORDER BY stage, statement;

-- query: copied
-- What LIKE copies, to notice when it changes; and which definition the rows have.
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[]) AS g (original, view)
)

SELECT
    g.original,
    concat_ws(
        ' ',
        a.attname,
        format_type(a.atttypid, a.atttypmod),
        a.attcollation,
        a.attnotnull,
        a.attidentity,
        a.attgenerated,
        a.attstorage,
        a.attcompression,
        pg_get_expr(d.adbin, d.adrelid),
        col_description(a.attrelid, a.attnum)
    ) AS statement
FROM given g
JOIN pg_attribute a ON a.attrelid = g.original::regclass AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum

UNION ALL

SELECT g.original, concat_ws(' ', k.conname, pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'))
FROM given g
JOIN pg_constraint k ON k.conrelid = g.original::regclass

UNION ALL

SELECT g.original, coalesce(obj_description(g.view::regclass, 'pg_class'), '')
FROM given g

ORDER BY statement;

-- query: dependents
-- What would stay with the old table, or go with it, when another takes its place.
SELECT
    d.refobjid::regclass::text AS original,
    CASE WHEN r.ev_class = d.refobjid THEN 'rule ' || r.rulename ELSE 'view ' || r.ev_class::regclass END AS dependent
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
WHERE d.refclassid = 'pg_class'::regclass
  AND d.refobjid = ANY ($1::text[]::regclass[])

UNION

SELECT t.tgrelid::regclass::text, 'trigger ' || t.tgname
FROM pg_trigger t
WHERE t.tgrelid = ANY ($1::text[]::regclass[])
  AND NOT t.tgisinternal

UNION

SELECT p.polrelid::regclass::text, 'row security policy ' || p.polname
FROM pg_policy p
WHERE p.polrelid = ANY ($1::text[]::regclass[])

UNION

SELECT c.oid::regclass::text, 'row security'
FROM pg_class c
WHERE c.oid = ANY ($1::text[]::regclass[])
  AND c.relrowsecurity

UNION

SELECT r.prrelid::regclass::text, 'publication ' || p.pubname
FROM pg_publication_rel r
JOIN pg_publication p ON p.oid = r.prpubid
WHERE r.prrelid = ANY ($1::text[]::regclass[])

UNION

SELECT i.inhparent::regclass::text, 'table ' || i.inhrelid::regclass
FROM pg_inherits i
WHERE i.inhparent = ANY ($1::text[]::regclass[])

UNION

SELECT k.confrelid::regclass::text, 'foreign key ' || k.conname || ' of ' || k.conrelid::regclass
FROM pg_constraint k
WHERE k.confrelid = ANY ($1::text[]::regclass[])
  AND k.contype = 'f'

ORDER BY original, dependent;
