CREATE FUNCTION pgsim._text_clauses(ids text[], docs float8[], weights float8[], bounds float8[], least_score float8) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    n int := cardinality(ids);
    total float8 := 0;
    clauses text[] := '{}';
    clause text;
    reads float8[] := '{}';
    read float8;
    rest float8;
    last int := 0;
    place int;
BEGIN
    FOR i IN 1 .. n LOOP
        total := total + bounds[i];
    END LOOP;
    -- The words that are left out of a clause cannot make the score together, so a row must have one of those in it. Rarest first; then each
    -- time without one of these, which asks for others beside it. (Measured: four rows of five need not be read then.)
    FOR skipped IN 0 .. CASE WHEN n <= 24 THEN n ELSE 0 END LOOP
        EXIT WHEN skipped > last AND skipped > 0;
        rest := total;
        clause := '';
        read := 0;
        FOR i IN 1 .. n LOOP
            EXIT WHEN rest < least_score;
            IF i <> skipped AND weights[i] > 0 THEN
                clause := clause || ',' || ids[i];
                rest := rest - bounds[i];
                read := read + docs[i];
                last := CASE skipped WHEN 0 THEN i ELSE last END;
            END IF;
        END LOOP;
        IF rest < least_score AND clause <> ALL (clauses) THEN
            -- The index goes through the rows of the first, and looks these up in the next.
            place := 1;
            WHILE reads[place] <= read LOOP
                place := place + 1;
            END LOOP;
            clauses := clauses[: place - 1] || clause || clauses[place :];
            reads := reads[: place - 1] || read || reads[place :];
        END IF;
    END LOOP;
    FOR i IN 1 .. cardinality(clauses) LOOP
        clauses[i] := substr(clauses[i], 2);
    END LOOP;
    RETURN clauses;
END
$$;
COMMENT ON FUNCTION pgsim._text_clauses IS 'Lists of ids, of each of which a row must have one to reach a score. None: every row that has a word of the query may reach it.';
