import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'coverage/'] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['*.js', '*.mjs', '*.ts'] } } } },
  { files: ['src/panel/**'], ...reactHooks.configs['recommended-latest'] },
  {
    rules: {
      // The bounds of a typed array are known where it is walked; the compiler cannot know them.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['*.js', '*.mjs', 'test/**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    // Only this folder knows OHIF and cornerstone; the rest knows src/types.ts.
    files: ['src/{session,api,prompts,labelmap,geometry,panel}/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['**/host', '**/host/**'] }],
    },
  }
);
