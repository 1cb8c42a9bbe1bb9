CREATE FUNCTION pgsim._expected_bits(cosine_distance float8, dim int, margin float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT dim * parted.share + margin * sqrt(dim * parted.share * (1 - parted.share))
    FROM (SELECT acos(greatest(-1::float8, least(1::float8, 1 - cosine_distance))) / pi() AS share) AS parted
);
COMMENT ON FUNCTION pgsim._expected_bits IS
    'In how many signs two vectors at a cosine distance differ at most, but for a margin in standard deviations: of a random hyperplane, the chance to part them is their angle over pi (Charikar 2002, Similarity estimation techniques from rounding algorithms), and the signs are as many trials.';
