CREATE FUNCTION pgsim._mapped_statement(version_id int, source text, newer text = '') RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    f record;
    keys text;
    own text;
BEGIN
    SELECT v.relation::text AS relation, b.adopted, b.column_name, c.key_columns, m.dim, m.metric, m.element, pgsim._vector_schema() AS vector_schema INTO f
    FROM pgsim._version AS v JOIN pgsim._version AS b ON b.id = v.follows JOIN pgsim._model AS m ON m.id = v.model_id
    JOIN pgsim._embedding AS e ON e.id = v.embedding_id JOIN pgsim._collection AS c ON c.id = e.collection_id
    WHERE v.id = _mapped_statement.version_id;
    keys := pgsim._key_list('r.', f.key_columns, NOT f.adopted);
    own := pgsim._key_list('', f.key_columns, true);
    -- What has no image, because it has no vector, is all zeros where that is mapped to, or is beyond the element type, has no row.
    RETURN format(
        'WITH given AS MATERIALIZED ('
        'SELECT %1$s, pgsim._mapped($1, $2, $3, r.%2$I::%3$s.vector) AS image, %4$s FROM %5$s), '
        'fit AS MATERIALIZED (SELECT g.*, pgsim._vector_problem(g.image, %6$s, %7$L, %8$L) IS NULL AS fits FROM given AS g), '
        'gone AS (DELETE FROM %9$s AS k USING fit AS g WHERE NOT g.fits AND %10$s%11$s) '
        'INSERT INTO %9$s AS k (%12$s, embedding, provisional, source_hash, embedded_at) '
        'SELECT %13$s, g.image::%3$s.%8$I, g.provisional, g.source_hash, g.embedded_at FROM fit AS g WHERE g.fits '
        'ON CONFLICT (%12$s) DO UPDATE SET embedding = excluded.embedding, provisional = excluded.provisional, source_hash = excluded.source_hash, embedded_at = excluded.embedded_at WHERE true%11$s',
        (SELECT string_agg(format('r.%I AS %I', CASE WHEN f.adopted THEN k.name ELSE pgsim._key_column(k.ordinal, cardinality(f.key_columns)) END,
                                  pgsim._key_column(k.ordinal, cardinality(f.key_columns))), ', ' ORDER BY k.ordinal) FROM unnest(f.key_columns) WITH ORDINALITY AS k (name, ordinal)),
        f.column_name, f.vector_schema,
        CASE WHEN f.adopted THEN 'false AS provisional, NULL::bytea AS source_hash, now() AS embedded_at' ELSE 'r.provisional, r.source_hash, r.embedded_at' END,
        source, f.dim, f.metric, f.element, f.relation, pgsim._own_key_join('k.', 'g.', f.key_columns), newer, own, pgsim._key_list('g.', f.key_columns, true));
END
$$;
COMMENT ON FUNCTION pgsim._mapped_statement IS
    'The statement that brings a derived version''s rows to the images of those of source, called r. Its parameters: $1 to $3 of the map, components, bias and normalized; what source reads begins at $4. newer: a condition that a row, called k, is still to be written.';
