enum SkeletonCrowbarSQLite {}
